package dev.kindling.configs.yaml;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the binder and the renderer know of one record class: keys, types, defaults, constructor.
 */
record RecordType(Class<?> type, List<Component> components, Map<String, Object> defaults) {
  /** {@code key} is the YAML key, {@code name} the Java name. */
  record Component(String name, String key, Type type, Method accessor) {}

  static RecordType of(Class<?> type) {
    List<Component> components = new ArrayList<>();
    for (RecordComponent component : type.getRecordComponents()) {
      component.getAccessor().setAccessible(true);
      components.add(
          new Component(
              component.getName(),
              snake(component.getName()),
              component.getGenericType(),
              component.getAccessor()));
    }
    return new RecordType(type, components, defaultsOf(type, components));
  }

  List<String> keys() {
    return components.stream().map(Component::key).toList();
  }

  Optional<Component> component(String key) {
    return components.stream().filter(c -> c.key().equals(key)).findFirst();
  }

  /** Throws what the record's constructor throws. */
  Object construct(@Nullable Object[] arguments) {
    try {
      Class<?>[] types =
          components.stream().map(c -> c.accessor().getReturnType()).toArray(Class<?>[]::new);
      Constructor<?> constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException("constructor of " + type.getName() + " failed", e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("cannot construct " + type.getName(), e);
    }
  }

  static Object get(Object record, Component component) {
    try {
      return component.accessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("cannot read " + component.name(), e);
    }
  }

  private static Map<String, Object> defaultsOf(Class<?> type, List<Component> components) {
    Map<String, Object> result = new LinkedHashMap<>();
    Map<?, ?> declared;
    try {
      Method method = type.getDeclaredMethod("defaults");
      method.setAccessible(true);
      declared = (Map<?, ?>) method.invoke(null);
    } catch (NoSuchMethodException e) {
      return result;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("defaults() of " + type.getName() + " failed", e);
    }
    for (Map.Entry<?, ?> entry : declared.entrySet()) {
      String key = snake(String.valueOf(entry.getKey()));
      if (components.stream().noneMatch(c -> c.key().equals(key))) {
        throw new IllegalStateException(
            "defaults() of " + type.getName() + " names no component: " + entry.getKey());
      }
      result.put(key, entry.getValue());
    }
    return result;
  }

  /** {@code weightDecay} to {@code weight_decay}; snake_case stays as it is. */
  static String snake(String name) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (Character.isUpperCase(c) && i > 0) {
        out.append('_');
      }
      out.append(c);
    }
    return out.toString().toLowerCase(Locale.ROOT);
  }

  /**
   * The word rendered for {@code type:}: snake_case, a single last letter joined (AdamW, adamw).
   */
  static String typeWord(Class<?> type) {
    return snake(type.getSimpleName()).replaceAll("_([a-z])(?=_|$)", "$1");
  }

  /** The records below a sealed interface, in declaration order. */
  static List<Class<?>> permitted(Class<?> sealed) {
    List<Class<?>> records = new ArrayList<>();
    for (Class<?> c : sealed.getPermittedSubclasses()) {
      if (c.isRecord()) {
        records.add(c);
      } else if (c.isSealed()) {
        records.addAll(permitted(c));
      }
    }
    return records;
  }
}
