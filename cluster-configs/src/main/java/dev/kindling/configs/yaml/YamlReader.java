package dev.kindling.configs.yaml;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.Anchor;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.MappingStartEvent;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.events.SequenceStartEvent;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * YAML text to {@link YamlNode}s, from parser events rather than the library's own object tree:
 * every key and value keeps its position, and an alias costs its expanded size, so that a few lines
 * cannot grow into gigabytes.
 */
final class YamlReader {
  static final int MAX_DEPTH = 32;
  static final int MAX_NODES = 20_000;

  private record Sized(YamlNode node, int size) {}

  private final Iterator<Event> events;
  private final Position origin;
  private final Map<Anchor, Sized> anchors = new HashMap<>();
  private int nodes;
  private Position last;

  private YamlReader(Iterator<Event> events, Position origin) {
    this.events = events;
    this.origin = origin;
    this.last = origin;
  }

  /** Reads one document; {@code origin} is the place of the text's first character. */
  static YamlNode read(String text, Position origin) {
    LoadSettings settings =
        LoadSettings.builder().setLabel(origin.file()).setParseComments(false).build();
    YamlReader reader = new YamlReader(new Parse(settings).parseString(text).iterator(), origin);
    try {
      return reader.document();
    } catch (NumberFormatException e) {
      // The library lets the numbers of its escapes through unchecked.
      throw new ConfigException(
          reader.last, "YAML syntax error here or behind: malformed escape: " + e.getMessage());
    } catch (MarkedYamlEngineException e) {
      Position where =
          e.getProblemMark().map(m -> at(origin, m.getLine(), m.getColumn())).orElse(origin);
      String context = e.getContext() == null ? "" : " " + e.getContext();
      throw new ConfigException(
          where, "YAML syntax error" + context + ": " + oneLine(e.getProblem()));
    } catch (YamlEngineException e) {
      throw new ConfigException(
          origin, "YAML syntax error: " + oneLine(String.valueOf(e.getMessage())));
    }
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ").trim();
  }

  private static Position at(Position origin, int line, int column) {
    int firstColumn = line == 0 ? origin.column() : 1;
    return new Position(origin.file(), origin.line() + line, firstColumn + column);
  }

  private Position position(Event event) {
    return event.getStartMark().map(m -> at(origin, m.getLine(), m.getColumn())).orElse(origin);
  }

  private YamlNode document() {
    events.next(); // stream start
    Event event = events.next();
    if (event.getEventId() == Event.ID.StreamEnd) {
      return new YamlNode.Scalar("", true, origin);
    }
    YamlNode root = node(events.next(), 0);
    events.next(); // document end
    Event after = events.next();
    if (after.getEventId() != Event.ID.StreamEnd) {
      throw new ConfigException(position(after), "expected one YAML document, found a second one");
    }
    return root;
  }

  private YamlNode node(Event event, int depth) {
    Position where = position(event);
    last = where;
    if (depth > MAX_DEPTH) {
      throw new ConfigException(where, "nested deeper than " + MAX_DEPTH + " levels");
    }
    if (event instanceof AliasEvent alias) {
      Sized target = anchors.get(alias.getAlias());
      if (target == null) {
        throw new ConfigException(where, "alias *" + alias.getAlias() + " names no earlier anchor");
      }
      count(target.size(), where);
      return target.node();
    }
    if (tag(event).filter(t -> !t.equals("!")).isPresent()) {
      throw new ConfigException(where, "YAML tags are not supported, found " + tag(event).get());
    }
    int before = nodes;
    count(1, where);
    YamlNode node = content(event, where, depth);
    if (event instanceof NodeEvent anchored) {
      anchored.getAnchor().ifPresent(a -> anchors.put(a, new Sized(node, nodes - before)));
    }
    return node;
  }

  private void count(int size, Position where) {
    nodes += size;
    if (nodes > MAX_NODES) {
      throw new ConfigException(
          where, "more than " + MAX_NODES + " values after expanding aliases");
    }
  }

  private static Optional<String> tag(Event event) {
    if (event instanceof ScalarEvent scalar) {
      return scalar.getTag();
    }
    if (event instanceof SequenceStartEvent sequence) {
      return sequence.getTag();
    }
    return event instanceof MappingStartEvent mapping ? mapping.getTag() : Optional.empty();
  }

  private YamlNode content(Event event, Position where, int depth) {
    if (event instanceof ScalarEvent scalar) {
      return new YamlNode.Scalar(scalar.getValue(), scalar.isPlain(), where);
    }
    if (event instanceof SequenceStartEvent) {
      List<YamlNode> items = new ArrayList<>();
      for (Event e = events.next(); e.getEventId() != Event.ID.SequenceEnd; e = events.next()) {
        items.add(node(e, depth + 1));
      }
      return new YamlNode.Sequence(items, where);
    }
    List<YamlNode.Entry> entries = new ArrayList<>();
    for (Event e = events.next(); e.getEventId() != Event.ID.MappingEnd; e = events.next()) {
      Position keyPosition = position(e);
      if (!(node(e, depth + 1) instanceof YamlNode.Scalar key)) {
        throw new ConfigException(keyPosition, "expected a plain key, found a list or mapping");
      }
      entries.add(new YamlNode.Entry(key.text(), keyPosition, node(events.next(), depth + 1)));
    }
    return new YamlNode.Mapping(entries, where);
  }
}
