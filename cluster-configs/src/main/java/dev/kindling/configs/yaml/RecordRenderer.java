package dev.kindling.configs.yaml;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Writes a record tree as YAML that binds to an equal tree; same tree, same text. */
public final class RecordRenderer {
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z_/][A-Za-z0-9_./+-]*");
  private static final Set<String> WORDS = Set.of("true", "false", "null");

  private RecordRenderer() {}

  /** Block style, two spaces per level, scalar lists in flow style. Ends with a newline. */
  public static String render(Record record) {
    StringBuilder out = new StringBuilder();
    fields(out, record, "", isVariant(record));
    return out.toString();
  }

  /** Each leaf's YAML path and its text; empty optionals are absent. */
  public static Map<String, String> leaves(Record record) {
    return leavesOf("", record);
  }

  static Map<String, String> leavesOf(String path, Object value) {
    Map<String, String> leaves = new LinkedHashMap<>();
    collect(leaves, path, value, isVariant(value));
    return leaves;
  }

  private static void collect(
      Map<String, String> leaves, String path, Object value, boolean typed) {
    if (value instanceof Optional<?> optional) {
      optional.ifPresent(v -> collect(leaves, path, v, typed));
    } else if (isSection(value)) {
      if (typed) {
        leaves.put(RecordBinder.join(path, "type"), RecordType.typeWord(value.getClass()));
      }
      for (RecordType.Component component : RecordType.of(value.getClass()).components()) {
        String child = RecordBinder.join(path, component.key());
        collect(leaves, child, RecordType.get(value, component), chooses(component.type()));
      }
    } else {
      leaves.put(path, flow(value));
    }
  }

  private static boolean isSection(Object value) {
    return value instanceof Record && !ScalarType.isScalar(value.getClass());
  }

  /** Whether a key of this type says which record it holds. */
  private static boolean chooses(Type type) {
    if (type instanceof ParameterizedType generic) {
      Type[] arguments = generic.getActualTypeArguments();
      return chooses(arguments[arguments.length - 1]);
    }
    return type instanceof Class<?> raw && raw.isSealed() && raw.isInterface();
  }

  private static boolean isVariant(Object record) {
    for (Class<?> parent : record.getClass().getInterfaces()) {
      if (parent.isSealed()) {
        return true;
      }
    }
    return false;
  }

  private static void fields(StringBuilder out, Object record, String indent, boolean typed) {
    if (typed) {
      out.append(indent).append("type: ").append(RecordType.typeWord(record.getClass()));
      out.append('\n');
    }
    for (RecordType.Component component : RecordType.of(record.getClass()).components()) {
      Object value = RecordType.get(record, component);
      if (value instanceof Optional<?> optional) {
        if (optional.isEmpty()) {
          continue;
        }
        value = optional.get();
      }
      field(out, component, value, indent);
    }
  }

  private static void field(
      StringBuilder out, RecordType.Component component, Object value, String indent) {
    boolean typed = chooses(component.type());
    out.append(indent).append(component.key()).append(':');
    boolean sections =
        value instanceof List<?> list && list.stream().anyMatch(RecordRenderer::isSection);
    if (isSection(value)) {
      int before = out.append('\n').length();
      fields(out, value, indent + "  ", typed);
      if (out.length() == before) {
        out.setLength(before - 1);
        out.append(" {}\n");
      }
    } else if (sections) {
      out.append('\n');
      for (Object item : (List<?>) value) {
        StringBuilder block = new StringBuilder();
        fields(block, item, indent + "    ", typed);
        block.setCharAt(indent.length() + 2, '-');
        out.append(block);
      }
    } else {
      out.append(' ').append(flow(value)).append('\n');
    }
  }

  private static String flow(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(RecordRenderer::flow).collect(Collectors.joining(", ", "[", "]"));
    }
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(e -> quote(String.valueOf(e.getKey())) + ": " + flow(e.getValue()))
          .collect(Collectors.joining(", ", "{", "}"));
    }
    if (isSection(value)) {
      return leaves((Record) value).entrySet().stream()
          .map(e -> quote(e.getKey()) + ": " + e.getValue())
          .collect(Collectors.joining(", ", "{", "}"));
    }
    boolean text = value instanceof String || value instanceof Path;
    return text ? quote(value.toString()) : ScalarType.render(value);
  }

  private static String quote(String text) {
    if (PLAIN.matcher(text).matches() && !WORDS.contains(text)) {
      return text;
    }
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\t' -> out.append("\\t");
        default -> {
          if (c < 0x20 || c > 0x7e) {
            out.append(String.format("\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    return out.append('"').toString();
  }
}
