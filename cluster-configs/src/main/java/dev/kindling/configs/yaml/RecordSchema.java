package dev.kindling.configs.yaml;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A record tree as a JSON Schema (draft 7, the one that editors know best): names, types, defaults
 * and words to choose from while a configuration is written. It accepts whatever {@link
 * RecordBinder} binds in the usual spelling; rules between values are the binder's alone. A key
 * that the binder would take from an enclosing default is optional here too.
 */
public final class RecordSchema {
  private static final String DRAFT = "http://json-schema.org/draft-07/schema#";
  private static final String SETTINGS = "#/definitions/settings";

  /** Says what records and their components mean. */
  @FunctionalInterface
  public interface Descriptions {
    /**
     * @param component empty for the record itself
     * @return empty if there is nothing to say
     */
    String of(Class<?> record, String component);
  }

  private final Descriptions descriptions;

  private RecordSchema(Descriptions descriptions) {
    this.descriptions = descriptions;
  }

  /** The schema as text that ends with a newline; same records, same text. */
  public static String of(Class<? extends Record> root, String title, Descriptions descriptions) {
    Map<String, Object> schema = new LinkedHashMap<>();
    schema.put("$schema", DRAFT);
    schema.put("title", title);
    schema.putAll(new RecordSchema(descriptions).record(root, null, ""));
    schema.put("definitions", Map.of("settings", settings()));
    return JsonText.pretty(schema);
  }

  /** Mappings of scalars may be nested: the binder joins their keys with dots. */
  private static Map<String, Object> settings() {
    return ordered(
        "type",
        List.of("string", "number", "boolean", "object", "null"),
        "additionalProperties",
        Map.of("$ref", SETTINGS));
  }

  private static Map<String, Object> ordered(Object... keysAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }

  private Map<String, Object> value(Type type, @Nullable Object fallback) {
    if (type instanceof ParameterizedType generic) {
      return container(generic, fallback);
    }
    Class<?> raw = (Class<?>) type;
    if (ScalarType.isScalar(raw)) {
      Map<String, Object> scalar = scalar(raw);
      if (fallback != null) {
        scalar.put("default", literal(fallback));
      }
      return scalar;
    }
    if (raw.isSealed() && raw.isInterface()) {
      return variants(raw, fallback);
    }
    return record(raw, fallback, "");
  }

  private Map<String, Object> container(ParameterizedType type, @Nullable Object fallback) {
    Type element = type.getActualTypeArguments()[type.getActualTypeArguments().length - 1];
    if (type.getRawType() == Optional.class) {
      Object inner = fallback instanceof Optional<?> optional ? optional.orElse(null) : null;
      Map<String, Object> none = ordered("type", "null");
      return element == Double.class
          ? ordered("anyOf", List.of(value(element, inner), ordered("enum", List.of("auto")), none))
          : ordered("anyOf", List.of(value(element, inner), none));
    }
    if (type.getRawType() == List.class) {
      return ordered("type", "array", "items", value(element, null));
    }
    return ordered(
        "type", List.of("object", "null"), "additionalProperties", Map.of("$ref", SETTINGS));
  }

  private static Map<String, Object> scalar(Class<?> type) {
    if (type.isEnum()) {
      return ordered("enum", ScalarType.words(type));
    }
    if (type == Duration.class) {
      return ordered("type", "string", "pattern", "^[0-9]+ ?(ns|us|ms|s|m|h|d)$");
    }
    if (type == ByteSize.class) {
      return ordered("type", List.of("integer", "string"), "pattern", "^[0-9]+( *(KiB|MiB|GiB))?$");
    }
    return switch (ScalarType.expected(type)) {
      // A number that is grouped as in 1_000 is a string to an editor.
      case "integer" ->
          ordered("type", List.of("integer", "string"), "pattern", "^[-+]?[0-9][0-9_]*$");
      case "number" ->
          ordered(
              "type",
              List.of("number", "string"),
              "pattern",
              "^[-+]?(\\.?[0-9][0-9_]*|[0-9][0-9_]*\\.[0-9]*)([eE][-+]?[0-9]+)?$|^[-+]?\\.inf$");
      case "true or false" -> ordered("type", "boolean");
      // Text without quotes may look like something else to an editor.
      default -> ordered("type", List.of("string", "number", "boolean"));
    };
  }

  /** A default as JSON: what JSON lacks is a string, as in YAML. */
  private static Object literal(Object value) {
    boolean json =
        value instanceof Boolean
            || (value instanceof Number number && Double.isFinite(number.doubleValue()));
    return json ? value : ScalarType.render(value);
  }

  private Map<String, Object> variants(Class<?> sealed, @Nullable Object fallback) {
    List<Object> choices = new ArrayList<>();
    for (Class<?> choice : RecordType.permitted(sealed)) {
      boolean same = fallback != null && fallback.getClass() == choice;
      choices.add(record(choice, same ? fallback : null, RecordType.typeWord(choice)));
    }
    return ordered("oneOf", choices);
  }

  /**
   * @param typeWord the word of {@code type:}, empty where there is no choice
   */
  private Map<String, Object> record(Class<?> type, @Nullable Object fallback, String typeWord) {
    RecordType known = RecordType.of(type);
    Map<String, Object> properties = new LinkedHashMap<>();
    List<Object> required = new ArrayList<>();
    if (!typeWord.isEmpty()) {
      properties.put("type", ordered("const", typeWord));
      if (fallback == null) {
        required.add("type");
      }
    }
    for (RecordType.Component component : known.components()) {
      Object byDefault = RecordBinder.defaultOf(known, component, fallback);
      Map<String, Object> property = new LinkedHashMap<>();
      describe(property, type, component.name());
      property.putAll(value(component.type(), byDefault));
      properties.put(component.key(), property);
      if (byDefault == null) {
        required.add(component.key());
      }
    }
    Map<String, Object> schema = new LinkedHashMap<>();
    describe(schema, type, "");
    // A section whose keys are all commented out is null.
    schema.put("type", required.isEmpty() ? List.of("object", "null") : "object");
    schema.put("properties", properties);
    if (!required.isEmpty()) {
      schema.put("required", required);
    }
    schema.put("additionalProperties", false);
    return schema;
  }

  private void describe(Map<String, Object> schema, Class<?> record, String component) {
    String text = descriptions.of(record, component);
    if (!text.isEmpty()) {
      schema.put("description", text);
    }
  }
}
