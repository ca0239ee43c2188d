package dev.kindling.configs.yaml;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Binds a document to a record tree, strictly: unknown and duplicate keys, wrong types, missing
 * keys and whatever the records' constructors refuse are collected and thrown together.
 *
 * <p>A section given in part keeps the other values of its enclosing default: with {@code
 * defaults()} holding {@code new Adam(1e-3f, 0.9f)} for {@code optimizer}, {@code optimizer: {lr:
 * 2e-3}} changes one number. When a value is wrong, its record is still tried with the default in
 * its place, so that errors beside it show up in the same report.
 */
public final class RecordBinder {
  private static final Pattern LINE = Pattern.compile("([A-Za-z_][A-Za-z0-9_.]*): (.*)");

  private final String fileName;
  private final List<ConfigError> errors = new ArrayList<>();
  private final Map<String, Position> positions = new HashMap<>();
  private final Map<String, ValueOrigin> origins = new LinkedHashMap<>();
  private final Class<?> rootType;

  private RecordBinder(String fileName, Class<?> rootType) {
    this.fileName = fileName;
    this.rootType = rootType;
  }

  /**
   * @throws ConfigException with every error found, those of the file first, by line
   */
  public static <R> Bound<R> bind(ConfigDocument document, Class<R> type) {
    RecordBinder binder = new RecordBinder(document.fileName(), type);
    Object value = binder.value(document.root(), type, "", null);
    if (!binder.errors.isEmpty() || value == null) {
      throw new ConfigException(binder.sortedErrors());
    }
    return new Bound<>(type.cast(value), binder.origins);
  }

  private List<ConfigError> sortedErrors() {
    return errors.stream()
        .distinct()
        .sorted(
            Comparator.comparing((ConfigError e) -> !e.file().equals(fileName))
                .thenComparingInt(ConfigError::line)
                .thenComparingInt(ConfigError::column))
        .toList();
  }

  private void error(Position position, String path, String message) {
    errors.add(ConfigError.at(position, path, message));
  }

  /** The bound value, or null after an error was recorded. */
  private @Nullable Object value(YamlNode node, Type type, String path, @Nullable Object fallback) {
    positions.putIfAbsent(path, node.position());
    if (type instanceof ParameterizedType generic) {
      return container(node, generic, path);
    }
    Class<?> raw = (Class<?>) type;
    if (ScalarType.isScalar(raw)) {
      return scalar(node, raw, path);
    }
    if (raw.isSealed() && raw.isInterface()) {
      return variant(node, raw, path, fallback);
    }
    if (raw.isRecord()) {
      return record(node, RecordType.of(raw), path, fallback, false);
    }
    throw new IllegalStateException(path + ": " + type + " cannot be configured");
  }

  private @Nullable Object scalar(YamlNode node, Class<?> type, String path) {
    Object value = node instanceof YamlNode.Scalar scalar ? ScalarType.read(scalar, type) : null;
    if (value == null) {
      String hint =
          type.isEnum() && node instanceof YamlNode.Scalar scalar
              ? Suggestions.didYouMean(scalar.text(), ScalarType.words(type))
              : "";
      error(
          node.position(),
          path,
          "expected " + ScalarType.expected(type) + ", found " + node.describe() + hint);
      return null;
    }
    origins.put(path, ValueOrigin.at(node.position()));
    return value;
  }

  private @Nullable Object container(YamlNode node, ParameterizedType type, String path) {
    Type element = type.getActualTypeArguments()[type.getActualTypeArguments().length - 1];
    if (type.getRawType() == Optional.class) {
      if (node instanceof YamlNode.Scalar scalar && isLeftOpen(scalar, element)) {
        origins.put(path, ValueOrigin.at(node.position()));
        return Optional.empty();
      }
      Object value = value(node, element, path, null);
      return value == null ? null : Optional.of(value);
    }
    if (type.getRawType() == List.class) {
      return list(node, element, path);
    }
    if (type.getRawType() == Map.class && type.getActualTypeArguments()[0] == String.class) {
      return map(node, element, path);
    }
    throw new IllegalStateException(path + ": " + type + " cannot be configured");
  }

  /** A number may be left to the program in words too. */
  private static boolean isLeftOpen(YamlNode.Scalar scalar, Type element) {
    return scalar.isNull() || (element == Double.class && scalar.text().equals("auto"));
  }

  private @Nullable Object list(YamlNode node, Type element, String path) {
    if (!(node instanceof YamlNode.Sequence sequence)) {
      error(node.position(), path, "expected a list, found " + node.describe());
      return null;
    }
    List<Object> items = new ArrayList<>();
    for (int i = 0; i < sequence.items().size(); i++) {
      Object item = value(sequence.items().get(i), element, path + "." + i, null);
      if (item != null) {
        items.add(item);
      }
    }
    origins.put(path, ValueOrigin.at(node.position()));
    return items.size() == sequence.items().size() ? List.copyOf(items) : null;
  }

  private @Nullable Object map(YamlNode node, Type element, String path) {
    Map<String, Object> values = new LinkedHashMap<>();
    if (!mapping(node, path, "a mapping")
        .map(m -> entries(m, element, path, "", values))
        .orElse(false)) {
      return null;
    }
    origins.put(path, ValueOrigin.at(node.position()));
    return Collections.unmodifiableMap(values);
  }

  /**
   * Nested mappings of scalars are joined with dots, so that {@code --set spark.conf.a.b=1} works.
   */
  private boolean entries(
      YamlNode.Mapping mapping,
      Type element,
      String path,
      String prefix,
      Map<String, Object> values) {
    boolean good = !duplicates(mapping, path);
    for (YamlNode.Entry entry : mapping.entries()) {
      String key = prefix + entry.key();
      boolean scalars = element instanceof Class<?> type && ScalarType.isScalar(type);
      if (scalars && entry.value() instanceof YamlNode.Mapping nested) {
        good &= entries(nested, element, path, key + ".", values);
      } else {
        Object value = value(entry.value(), element, path + "." + key, null);
        good &= value != null;
        if (value != null) {
          values.put(key, value);
        }
      }
    }
    return good;
  }

  private Optional<YamlNode.Mapping> mapping(YamlNode node, String path, String expected) {
    if (node instanceof YamlNode.Mapping mapping) {
      return Optional.of(mapping);
    }
    if (node instanceof YamlNode.Scalar scalar && scalar.isNull()) {
      // A section whose keys are all commented out.
      return Optional.of(new YamlNode.Mapping(List.of(), node.position()));
    }
    error(node.position(), path, "expected " + expected + ", found " + node.describe());
    return Optional.empty();
  }

  private boolean duplicates(YamlNode.Mapping mapping, String path) {
    Map<String, Position> seen = new HashMap<>();
    boolean found = false;
    for (YamlNode.Entry entry : mapping.entries()) {
      Position first = seen.putIfAbsent(entry.key(), entry.keyPosition());
      if (first != null) {
        error(
            entry.keyPosition(),
            join(path, entry.key()),
            "duplicate key (first at line " + first.line() + ")");
        found = true;
      }
    }
    return found;
  }

  private @Nullable Object variant(
      YamlNode node, Class<?> sealed, String path, @Nullable Object fallback) {
    List<Class<?>> choices = RecordType.permitted(sealed);
    List<String> words = choices.stream().map(RecordType::typeWord).toList();
    String expected = "one of " + String.join(", ", words);
    YamlNode.Mapping mapping = mapping(node, path, "a mapping with type: " + expected).orElse(null);
    if (mapping == null) {
      return null;
    }
    YamlNode.Entry type = mapping.entry("type").orElse(null);
    if (type == null) {
      if (fallback != null) {
        return record(mapping, RecordType.of(fallback.getClass()), path, fallback, true);
      }
      error(mapping.position(), join(path, "type"), "missing required key, expected " + expected);
      return null;
    }
    String word = type.value() instanceof YamlNode.Scalar scalar ? scalar.text() : "";
    for (Class<?> choice : choices) {
      if (Suggestions.fold(choice.getSimpleName()).equals(Suggestions.fold(word))) {
        boolean same = fallback != null && fallback.getClass() == choice;
        return record(mapping, RecordType.of(choice), path, same ? fallback : null, true);
      }
    }
    error(
        type.value().position(),
        join(path, "type"),
        "expected "
            + expected
            + ", found "
            + type.value().describe()
            + Suggestions.didYouMean(word, words));
    return null;
  }

  private @Nullable Object record(
      YamlNode node, RecordType type, String path, @Nullable Object fallback, boolean typed) {
    String expected = "a mapping with keys " + String.join(", ", type.keys());
    YamlNode.Mapping mapping = mapping(node, path, expected).orElse(null);
    if (mapping == null) {
      return null;
    }
    positions.putIfAbsent(path, mapping.position());
    unknownKeys(mapping, type, path, typed);
    duplicates(mapping, path);
    if (typed) {
      mapping
          .entry("type")
          .ifPresent(t -> origins.put(join(path, "type"), ValueOrigin.at(t.value().position())));
    }
    @Nullable Object[] arguments = new Object[type.components().size()];
    Set<String> failed = new HashSet<>();
    for (int i = 0; i < arguments.length; i++) {
      RecordType.Component component = type.components().get(i);
      arguments[i] = component(mapping, type, component, path, fallback);
      if (arguments[i] == null) {
        failed.add(component.key());
        arguments[i] = standIn(type, component, fallback);
      }
    }
    return construct(type, arguments, path, failed);
  }

  private void unknownKeys(YamlNode.Mapping mapping, RecordType type, String path, boolean typed) {
    for (YamlNode.Entry entry : mapping.entries()) {
      boolean known =
          type.component(entry.key()).isPresent() || (typed && entry.key().equals("type"));
      if (!known) {
        String hint = Suggestions.didYouMean(entry.key(), type.keys());
        if (hint.isEmpty()) {
          hint = KeyIndex.elsewhere(rootType, entry.key(), path);
        }
        if (hint.isEmpty()) {
          hint = "; known here: " + String.join(", ", type.keys());
        }
        error(
            entry.keyPosition(),
            join(path, entry.key()),
            "unknown key \"" + entry.key() + '"' + hint);
      }
    }
  }

  private @Nullable Object component(
      YamlNode.Mapping mapping,
      RecordType type,
      RecordType.Component component,
      String path,
      @Nullable Object fallback) {
    String childPath = join(path, component.key());
    Object defaultValue = defaultOf(type, component, fallback);
    YamlNode.Entry entry = mapping.entry(component.key()).orElse(null);
    if (entry != null) {
      return value(entry.value(), component.type(), childPath, defaultValue);
    }
    if (defaultValue == null) {
      error(mapping.position(), childPath, "missing required key");
      return null;
    }
    RecordRenderer.leavesOf(childPath, defaultValue)
        .forEach((leaf, text) -> origins.put(leaf, ValueOrigin.DEFAULT));
    return defaultValue;
  }

  static @Nullable Object defaultOf(
      RecordType type, RecordType.Component component, @Nullable Object fallback) {
    if (fallback != null) {
      return RecordType.get(fallback, component);
    }
    Object declared = type.defaults().get(component.key());
    if (declared == null && component.accessor().getReturnType() == Optional.class) {
      return Optional.empty();
    }
    return declared;
  }

  /** Something of the right type in the place of a value that is wrong, or null. */
  private static @Nullable Object standIn(
      RecordType type, RecordType.Component component, @Nullable Object fallback) {
    Object value = defaultOf(type, component, fallback);
    if (value != null) {
      return value;
    }
    Class<?> raw = component.accessor().getReturnType();
    if (raw.isPrimitive()) {
      return ScalarType.read(
          new YamlNode.Scalar(raw == boolean.class ? "false" : "1", true, new Position("", 0, 0)),
          raw);
    }
    return null;
  }

  private @Nullable Object construct(
      RecordType type, @Nullable Object[] arguments, String path, Set<String> failed) {
    try {
      Object record = type.construct(arguments);
      return failed.isEmpty() ? record : null;
    } catch (IllegalArgumentException e) {
      String.valueOf(e.getMessage()).lines().forEach(line -> refused(line, type, path, failed));
      return null;
    } catch (RuntimeException e) {
      if (failed.isEmpty()) {
        throw e;
      }
      return null; // The constructor met the stand-in of a value that is already reported.
    }
  }

  /** A constructor's line; one that speaks of a value already reported says nothing new. */
  private void refused(String line, RecordType type, String path, Set<String> failed) {
    for (String key : failed) {
      if (Pattern.compile("(?<![a-z0-9_])" + key + "(?![a-z0-9_])").matcher(line).find()) {
        return;
      }
    }
    Matcher matcher = LINE.matcher(line);
    String first = matcher.matches() ? RecordType.snake(matcher.group(1)) : "";
    int dot = first.indexOf('.');
    if (type.component(dot < 0 ? first : first.substring(0, dot)).isEmpty()) {
      error(positionOf(path), path, line);
    } else if (failed.stream().noneMatch(first::equals)) {
      String full = join(path, first);
      error(positionOf(full), full, matcher.group(2));
    }
  }

  /** Of the value at this path, else of the nearest enclosing section that is written down. */
  private Position positionOf(String path) {
    String at = path;
    while (!positions.containsKey(at)) {
      int dot = at.lastIndexOf('.');
      at = dot < 0 ? "" : at.substring(0, dot);
      if (at.isEmpty()) {
        break;
      }
    }
    return positions.getOrDefault(at, new Position(fileName, 1, 1));
  }

  static String join(String path, String key) {
    return path.isEmpty() ? key : path + "." + key;
  }
}
