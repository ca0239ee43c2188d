package dev.kindling.configs.yaml;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** One {@code --set path=value}; {@code segments} keep their column for error messages. */
record SetAssignment(List<Segment> segments, YamlNode value) {
  record Segment(String key, Position position) {}

  static SetAssignment parse(String text, int ordinal) {
    Position start = new Position(ConfigDocument.SET, ordinal, 1);
    List<Segment> segments = new ArrayList<>();
    StringBuilder key = new StringBuilder();
    boolean quoted = false;
    int keyColumn = 1;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && (c == '.' || c == '=')) {
        if (key.toString().isBlank()) {
          throw new ConfigException(start, "expected path=value, found \"" + text + '"');
        }
        segments.add(
            new Segment(
                key.toString().trim(), new Position(ConfigDocument.SET, ordinal, keyColumn)));
        key.setLength(0);
        keyColumn = i + 2;
        if (c == '=') {
          Position valueStart = new Position(ConfigDocument.SET, ordinal, i + 2);
          return new SetAssignment(segments, YamlReader.read(text.substring(i + 1), valueStart));
        }
      } else {
        key.append(c);
      }
    }
    throw new ConfigException(start, "expected path=value, found \"" + text + '"');
  }

  YamlNode applyTo(YamlNode root) {
    return replace(root, 0);
  }

  private YamlNode replace(YamlNode node, int depth) {
    if (depth == segments.size()) {
      return value;
    }
    Segment segment = segments.get(depth);
    if (node instanceof YamlNode.Sequence sequence) {
      List<YamlNode> items = new ArrayList<>(sequence.items());
      int index = index(segment, items.size());
      items.set(index, replace(items.get(index), depth + 1));
      return new YamlNode.Sequence(items, sequence.position());
    }
    YamlNode.Mapping mapping =
        node instanceof YamlNode.Mapping m
            ? m
            : new YamlNode.Mapping(List.of(), nullAt(node) ? node.position() : segment.position());
    YamlNode before =
        mapping
            .entry(segment.key())
            .map(YamlNode.Entry::value)
            .orElse(new YamlNode.Scalar("", true, segment.position()));
    return mapping.with(segment.key(), segment.position(), replace(before, depth + 1));
  }

  private static boolean nullAt(YamlNode node) {
    return node instanceof YamlNode.Scalar scalar && scalar.isNull();
  }

  private int index(Segment segment, int size) {
    if (segment.key().matches("[0-9]{1,6}") && Integer.parseInt(segment.key()) < size) {
      return Integer.parseInt(segment.key());
    }
    String path = segments.stream().map(Segment::key).collect(Collectors.joining("."));
    throw new ConfigException(
        List.of(
            ConfigError.at(
                segment.position(),
                path,
                "expected a list index below " + size + ", found \"" + segment.key() + '"')));
  }
}
