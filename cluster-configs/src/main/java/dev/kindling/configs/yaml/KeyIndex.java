package dev.kindling.configs.yaml;

import java.util.ArrayList;
import java.util.List;

/** Finds where else in a record tree a key lives: {@code lr} at the top is {@code optimizer.lr}. */
final class KeyIndex {
  private static final int MAX_DEPTH = 4;

  private KeyIndex() {}

  /** {@code (did you mean "optimizer.lr"?)} if the key exists at another path, else empty. */
  static String elsewhere(Class<?> root, String key, String here) {
    List<String> found = new ArrayList<>();
    collect(root, "", key, found, 0);
    return found.stream()
        .filter(p -> !p.equals(RecordBinder.join(here, key)))
        .findFirst()
        .map(p -> " (did you mean \"" + p + "\"?)")
        .orElse("");
  }

  private static void collect(
      Class<?> type, String path, String key, List<String> found, int depth) {
    if (depth > MAX_DEPTH) {
      return;
    }
    List<Class<?>> records = new ArrayList<>();
    if (type.isRecord() && !ScalarType.isScalar(type)) {
      records.add(type);
    } else if (type.isSealed() && type.isInterface()) {
      records.addAll(RecordType.permitted(type));
    }
    for (Class<?> record : records) {
      for (RecordType.Component component : RecordType.of(record).components()) {
        String child = RecordBinder.join(path, component.key());
        if (Suggestions.fold(component.key()).equals(Suggestions.fold(key))) {
          found.add(child);
        }
        collect(component.accessor().getReturnType(), child, key, found, depth + 1);
      }
    }
  }
}
