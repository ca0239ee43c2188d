package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;

/** A file of JSON lines: one object a line; blank lines are none. */
final class JsonLines {
  private static final int LINE_BYTES_MAX = 1 << 28;

  private final Path file;
  private final BadLines badLines;
  private final Consumer<String> notices;
  private final Consumer<Json.Obj> taker;
  private long number;
  private long skipped;

  private JsonLines(
      Path file, BadLines badLines, Consumer<String> notices, Consumer<Json.Obj> taker) {
    this.file = file;
    this.badLines = badLines;
    this.notices = notices;
    this.taker = taker;
  }

  /**
   * @param notices hears of each line that is skipped
   * @param taker takes one object a line, throws {@link JsonException} if it is not what it should
   *     be
   * @return number of lines that were skipped
   * @throws DataException naming file and line of a bad one, or if the file cannot be read
   */
  static long read(
      Path file, BadLines badLines, Consumer<String> notices, Consumer<Json.Obj> taker) {
    JsonLines lines = new JsonLines(file, badLines, notices, taker);
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      for (int next = in.read(); next >= 0; next = in.read()) {
        if (next == '\n') {
          lines.line(line);
        } else {
          line.write(next);
          if (line.size() > LINE_BYTES_MAX) {
            throw new DataException(
                file + ":" + (lines.number + 1) + ": expected a line of at most 256 MiB");
          }
        }
      }
      lines.line(line);
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    }
    return lines.skipped;
  }

  private void line(ByteArrayOutputStream buffer) {
    number++;
    byte[] bytes = buffer.toByteArray();
    buffer.reset();
    if (new String(bytes, StandardCharsets.UTF_8).isBlank()) {
      return;
    }
    try {
      Json value = JsonReader.read(bytes, file.toString(), JsonReader.Limits.FOREIGN);
      taker.accept(value.asObject("line"));
    } catch (JsonException e) {
      String message = file + ":" + number + ": byte " + e.offset() + ": " + e.reason();
      if (badLines == BadLines.FAIL) {
        throw new DataException(message, e);
      }
      skipped++;
      notices.accept("skipped " + message);
    }
  }

  /** A text that is not empty and holds no NUL. */
  static String text(Json value, String what) {
    String text = value.asText(what);
    if (text.isEmpty() || text.indexOf('\0') >= 0) {
      String found = text.isEmpty() ? "none" : "NUL in it";
      throw new JsonException(
          value.place().file(), value.place().offset(), what + ": expected text, found " + found);
    }
    return text;
  }
}
