package dev.kindling.worker.store;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One JSON value. Objects keep the order of their members; numbers stay text until somebody asks
 * for a range. Values that were read know their file and byte, so that a wrong one can be named.
 */
public sealed interface Json {
  /** Where a value was read: file and byte; values built in memory carry {@link #NOWHERE}. */
  record Place(String file, long offset) {
    JsonException wrong(String message) {
      return new JsonException(file, offset, message);
    }
  }

  Place NOWHERE = new Place("(memory)", 0);

  Place place();

  /**
   * Compact text: members in their order, no white space, non-ASCII kept, control characters
   * escaped.
   */
  default String write() {
    return JsonWriter.write(this);
  }

  default byte[] bytes() {
    return write().getBytes(StandardCharsets.UTF_8);
  }

  /**
   * {@code value} as a literal of ASCII bytes only. For files whose layout is written by hand and
   * whose bytes are hashed: escapes here may never change.
   */
  static String ascii(String value) {
    return JsonWriter.ascii(value);
  }

  static Json of(String value) {
    return new Text(value, NOWHERE);
  }

  static Json of(long value) {
    return new Num(Long.toString(value), NOWHERE);
  }

  static Json of(boolean value) {
    return new Bool(value, NOWHERE);
  }

  static Json of(List<? extends Json> items) {
    return new Arr(List.copyOf(items), NOWHERE);
  }

  static Json strings(List<String> items) {
    return of(items.stream().map(Json::of).toList());
  }

  static Json strings(Map<String, String> members) {
    Building building = object();
    members.forEach((key, value) -> building.put(key, of(value)));
    return building.build();
  }

  static Building object() {
    return new Building();
  }

  /** Collects members in order; a second value for a key is our own mistake and throws. */
  final class Building {
    private final Map<String, Json> members = new LinkedHashMap<>();

    public Building put(String key, Json value) {
      if (members.put(key, value) != null) {
        throw new IllegalArgumentException("duplicate key " + key);
      }
      return this;
    }

    public Building put(String key, String value) {
      return put(key, of(value));
    }

    public Building put(String key, long value) {
      return put(key, of(value));
    }

    public Obj build() {
      return new Obj(members, NOWHERE);
    }
  }

  /** An object. */
  record Obj(Map<String, Json> members, Place place) implements Json {
    public Obj {
      members = Collections.unmodifiableMap(new LinkedHashMap<>(members));
    }

    public Optional<Json> find(String key) {
      return Optional.ofNullable(members.get(key));
    }

    public Json get(String key) {
      Json value = members.get(key);
      if (value == null) {
        throw place.wrong("expected key " + key + ", found none");
      }
      return value;
    }

    public String text(String key) {
      return get(key).asText(key);
    }

    public long integer(String key, long min, long max) {
      return get(key).asInteger(key, min, max);
    }

    public Obj object(String key) {
      if (get(key) instanceof Obj value) {
        return value;
      }
      throw get(key).place().wrong(key + ": expected an object, found " + get(key).kind());
    }

    public List<Json> list(String key) {
      if (get(key) instanceof Arr value) {
        return value.items();
      }
      throw get(key).place().wrong(key + ": expected a list, found " + get(key).kind());
    }

    public List<String> texts(String key) {
      List<String> texts = new ArrayList<>();
      for (Json item : list(key)) {
        texts.add(item.asText(key));
      }
      return List.copyOf(texts);
    }

    /** A member that is an object of strings. */
    public Map<String, String> stringMap(String key) {
      Map<String, String> strings = new LinkedHashMap<>();
      object(key).members().forEach((name, value) -> strings.put(name, value.asText(key)));
      return Collections.unmodifiableMap(strings);
    }
  }

  /** A list. */
  record Arr(List<Json> items, Place place) implements Json {}

  /** A string. */
  record Text(String value, Place place) implements Json {}

  /** A number as it was written. */
  record Num(String text, Place place) implements Json {}

  /** A truth value. */
  record Bool(boolean value, Place place) implements Json {}

  /** The null literal. */
  record Null(Place place) implements Json {}

  default String asText(String what) {
    if (this instanceof Text text) {
      return text.value();
    }
    throw place().wrong(what + ": expected a string, found " + kind());
  }

  /**
   * The value as an integer of a range; fractions and exponents are refused, so 1e3 is not 1000
   * here.
   */
  default long asInteger(String what, long min, long max) {
    if (this instanceof Num number) {
      try {
        long value = Long.parseLong(number.text());
        if (value >= min && value <= max) {
          return value;
        }
      } catch (NumberFormatException notWhole) {
        // Falls through: a fraction and a number beyond 64 bits are both outside the range.
      }
      throw place()
          .wrong(
              what + ": expected an integer in [" + min + ", " + max + "], found " + number.text());
    }
    throw place().wrong(what + ": expected an integer, found " + kind());
  }

  default boolean asFlag(String what) {
    if (this instanceof Bool flag) {
      return flag.value();
    }
    throw place().wrong(what + ": expected true or false, found " + kind());
  }

  default Obj asObject(String what) {
    if (this instanceof Obj object) {
      return object;
    }
    throw place().wrong(what + ": expected an object, found " + kind());
  }

  default String kind() {
    return getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT);
  }
}
