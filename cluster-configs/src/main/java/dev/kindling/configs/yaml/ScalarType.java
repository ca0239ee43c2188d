package dev.kindling.configs.yaml;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Scalars of a configuration: text to value, value to text, and how to name what was expected. */
final class ScalarType {
  private static final Set<Class<?>> SIMPLE =
      Set.of(
          int.class,
          Integer.class,
          long.class,
          Long.class,
          float.class,
          Float.class,
          double.class,
          Double.class,
          boolean.class,
          Boolean.class,
          String.class,
          Path.class,
          Duration.class,
          ByteSize.class);
  private static final Pattern DURATION = Pattern.compile("([0-9]+) ?(ns|us|ms|s|m|h|d)");
  private static final Map<String, Long> UNIT_NANOS =
      Map.of(
          "ns",
          1L,
          "us",
          1_000L,
          "ms",
          1_000_000L,
          "s",
          1_000_000_000L,
          "m",
          60_000_000_000L,
          "h",
          3_600_000_000_000L,
          "d",
          86_400_000_000_000L);
  private static final Pattern NUMBER =
      Pattern.compile("[-+]?(\\.?[0-9][0-9_]*|[0-9][0-9_]*\\.[0-9]*)([eE][-+]?[0-9]+)?");

  private ScalarType() {}

  static boolean isScalar(Class<?> type) {
    return SIMPLE.contains(type) || type.isEnum();
  }

  static String expected(Class<?> type) {
    if (type == int.class || type == Integer.class || type == long.class || type == Long.class) {
      return "integer";
    }
    if (type == float.class
        || type == Float.class
        || type == double.class
        || type == Double.class) {
      return "number";
    }
    if (type == boolean.class || type == Boolean.class) {
      return "true or false";
    }
    if (type == Duration.class) {
      return "duration such as 30s or 5m";
    }
    if (type == ByteSize.class) {
      return "byte count such as 4096 or 64MiB";
    }
    return type.isEnum() ? oneOf(type) : type == Path.class ? "path" : "text";
  }

  private static String oneOf(Class<?> type) {
    return words(type).stream().collect(Collectors.joining(", ", "one of ", ""));
  }

  static List<String> words(Class<?> enumType) {
    return Arrays.stream(enumType.getEnumConstants()).map(ScalarType::render).toList();
  }

  /** The value, or null if the text is not of this type. */
  static @Nullable Object read(YamlNode.Scalar scalar, Class<?> type) {
    if (scalar.isNull()) {
      return null;
    }
    String text = scalar.text();
    if (type == String.class) {
      return text;
    }
    if (type == Path.class) {
      return Path.of(text);
    }
    if (type.isEnum()) {
      return constant(text, type);
    }
    try {
      return number(text.trim(), type);
    } catch (ArithmeticException | IllegalArgumentException e) {
      return null;
    }
  }

  private static @Nullable Object constant(String text, Class<?> type) {
    for (Object constant : type.getEnumConstants()) {
      if (Suggestions.fold(render(constant)).equals(Suggestions.fold(text))) {
        return constant;
      }
    }
    return null;
  }

  private static @Nullable Object number(String text, Class<?> type) {
    String digits = text.replace("_", "");
    if (type == int.class || type == Integer.class) {
      return Integer.valueOf(digits);
    }
    if (type == long.class || type == Long.class) {
      return Long.valueOf(digits);
    }
    if (type == boolean.class || type == Boolean.class) {
      return text.equals("true") ? Boolean.TRUE : text.equals("false") ? Boolean.FALSE : null;
    }
    if (type == Duration.class) {
      Matcher matcher = DURATION.matcher(text);
      return matcher.matches()
          ? Duration.ofNanos(
              Math.multiplyExact(Long.parseLong(matcher.group(1)), unitNanos(matcher.group(2))))
          : null;
    }
    if (type == ByteSize.class) {
      return ByteSize.parse(text);
    }
    boolean wide = type == double.class || type == Double.class;
    double special =
        switch (text) {
          case ".inf", "+.inf" -> Double.POSITIVE_INFINITY;
          case "-.inf" -> Double.NEGATIVE_INFINITY;
          default -> Double.NaN;
        };
    if (text.equals(".nan") || !Double.isNaN(special)) {
      return wide ? (Object) special : (Object) (float) special;
    }
    if (!NUMBER.matcher(text).matches()) {
      return null;
    }
    return wide ? (Object) Double.valueOf(digits) : (Object) Float.valueOf(digits);
  }

  /** The plain text that {@link #read} turns back into an equal value (unquoted). */
  static String render(Object value) {
    if (value instanceof Enum<?> constant) {
      return constant.name().toLowerCase(Locale.ROOT);
    }
    if (value instanceof Duration duration) {
      return duration(duration);
    }
    if (value instanceof Double || value instanceof Float) {
      double number = ((Number) value).doubleValue();
      if (Double.isNaN(number)) {
        return ".nan";
      }
      if (Double.isInfinite(number)) {
        return number > 0 ? ".inf" : "-.inf";
      }
    }
    return String.valueOf(value);
  }

  private static long unitNanos(String unit) {
    return UNIT_NANOS.getOrDefault(unit, 1L);
  }

  private static String duration(Duration duration) {
    long nanos = duration.toNanos();
    for (String unit : new String[] {"d", "h", "m", "s", "ms", "us"}) {
      long size = unitNanos(unit);
      if (nanos != 0 && nanos % size == 0) {
        return nanos / size + unit;
      }
    }
    return nanos == 0 ? "0s" : nanos + "ns";
  }
}
