package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import java.io.Serializable;

/**
 * What a prepared set does not hold, though its inputs do; {@code left-out.txt} names the first of
 * them.
 *
 * @param badLines lines that are no document
 * @param tooLong examples that fit no sequence
 * @param cut examples whose end is missing
 */
public record LeftOut(long badLines, long tooLong, long cut) implements Serializable {
  public static final LeftOut NONE = new LeftOut(0, 0, 0);

  LeftOut plus(LeftOut other) {
    return new LeftOut(badLines + other.badLines, tooLong + other.tooLong, cut + other.cut);
  }

  public boolean any() {
    return badLines + tooLong + cut > 0;
  }

  /** One line for people. */
  public String told() {
    return badLines
        + " unusable line(s) skipped, "
        + tooLong
        + " example(s) longer than a sequence dropped, "
        + cut
        + " cut";
  }

  String toJson() {
    return "{\"bad_lines\": " + badLines + ", \"too_long\": " + tooLong + ", \"cut\": " + cut + "}";
  }

  static LeftOut fromJson(Json.Obj json) {
    return new LeftOut(
        json.integer("bad_lines", 0, Long.MAX_VALUE),
        json.integer("too_long", 0, Long.MAX_VALUE),
        json.integer("cut", 0, Long.MAX_VALUE));
  }
}
