package dev.kindling.worker.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** A file of one JSON object a line; blank lines are none. */
public final class JsonLines {
  private static final int LINE_BYTES_MAX = 1 << 28;

  private final String file;
  private final JsonReader.Limits limits;
  private final Consumer<Json.Obj> taker;
  private final Refusal refusal;
  private long number;

  /** Hears of a line that is no object, or that is not what its taker expects. */
  @FunctionalInterface
  public interface Refusal {
    /**
     * @param line from 1
     */
    void refused(long line, JsonException why);
  }

  private JsonLines(
      String file, JsonReader.Limits limits, Consumer<Json.Obj> taker, Refusal refusal) {
    this.file = file;
    this.limits = limits;
    this.taker = taker;
    this.refusal = refusal;
  }

  /**
   * Reads to the end; at most one line is in memory.
   *
   * @param file name of what is read, for messages
   * @param taker takes one object a line, throws {@link JsonException} if it is not what it should
   *     be
   * @throws IOException if it cannot be read, or a line has more than 256 MiB
   */
  public static void read(
      InputStream in,
      String file,
      JsonReader.Limits limits,
      Consumer<Json.Obj> taker,
      Refusal refusal)
      throws IOException {
    JsonLines lines = new JsonLines(file, limits, taker, refusal);
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next >= 0; next = in.read()) {
      if (next == '\n') {
        lines.line(line);
      } else {
        line.write(next);
        if (line.size() > LINE_BYTES_MAX) {
          throw new IOException(
              file + ":" + (lines.number + 1) + ": expected a line of at most 256 MiB");
        }
      }
    }
    lines.line(line);
  }

  private void line(ByteArrayOutputStream buffer) {
    number++;
    byte[] bytes = buffer.toByteArray();
    buffer.reset();
    if (new String(bytes, StandardCharsets.UTF_8).isBlank()) {
      return;
    }
    try {
      taker.accept(JsonReader.read(bytes, file, limits).asObject("line"));
    } catch (JsonException e) {
      refusal.refused(number, e);
    }
  }
}
