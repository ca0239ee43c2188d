package dev.kindling.configs.yaml;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A YAML value with the place where it starts. Aliases are already replaced by what they name. */
sealed interface YamlNode {
  Position position();

  /** How an error message names this value. */
  String describe();

  /** A scalar's text; {@code plain} is false when it was quoted or a block scalar. */
  record Scalar(String text, boolean plain, Position position) implements YamlNode {
    boolean isNull() {
      return plain && (text.isEmpty() || text.equals("~") || text.equals("null"));
    }

    @Override
    public String describe() {
      return isNull() ? "nothing" : '"' + text + '"';
    }
  }

  /** A list of values. */
  record Sequence(List<YamlNode> items, Position position) implements YamlNode {
    public Sequence {
      items = List.copyOf(items);
    }

    @Override
    public String describe() {
      return "a list";
    }
  }

  /** Keys in source order, duplicates included: the binder reports them. */
  record Mapping(List<Entry> entries, Position position) implements YamlNode {
    public Mapping {
      entries = List.copyOf(entries);
    }

    @Override
    public String describe() {
      return "a mapping";
    }

    Optional<Entry> entry(String key) {
      return entries.stream().filter(e -> e.key().equals(key)).findFirst();
    }

    /** A copy in which {@code key} has {@code value}, replacing in place or appended. */
    Mapping with(String key, Position keyPosition, YamlNode value) {
      List<Entry> changed = new ArrayList<>();
      boolean replaced = false;
      for (Entry entry : entries) {
        if (entry.key().equals(key) && !replaced) {
          changed.add(new Entry(key, keyPosition, value));
          replaced = true;
        } else {
          changed.add(entry);
        }
      }
      if (!replaced) {
        changed.add(new Entry(key, keyPosition, value));
      }
      return new Mapping(changed, position);
    }
  }

  /** One {@code key: value} of a mapping. */
  record Entry(String key, Position keyPosition, YamlNode value) {}
}
