package dev.kindling.worker.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Names and their values; a loop's body and a macro have their own, an {@code if} has not. */
final class Scope {
  private final @Nullable Scope outer;
  private final Map<String, Object> names = new HashMap<>();

  Scope(@Nullable Scope outer) {
    this.outer = outer;
  }

  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object found = scope.names.get(name);
      if (found != null) {
        return found;
      }
    }
    return new Undefined(name);
  }

  void set(String name, Object value) {
    names.put(name, value);
  }
}
