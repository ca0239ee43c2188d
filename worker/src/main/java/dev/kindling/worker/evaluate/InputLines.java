package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.store.ForwardStream;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonLines;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Outage;
import dev.kindling.worker.store.StorageLocation;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.function.Consumer;

/** The lines of a file that someone gave, and what becomes of bad ones. */
final class InputLines {
  private final String file;
  private final BadLines badLines;
  private final Consumer<String> notices;
  private long skipped;

  private InputLines(String file, BadLines badLines, Consumer<String> notices) {
    this.file = file;
    this.badLines = badLines;
    this.notices = notices;
  }

  /**
   * @param folder where the file lies
   * @param notices hears of each line that is skipped
   * @param taker takes one object a line, throws {@link JsonException} if it is not what it should
   *     be
   * @return number of lines that were skipped
   * @throws DataException naming file and line of a bad one, or if the file cannot be read
   * @throws java.io.UncheckedIOException if its store cannot be reached
   */
  static long read(
      InputFolder folder,
      String name,
      BadLines badLines,
      Consumer<String> notices,
      Consumer<Json.Obj> taker) {
    InputLines lines = new InputLines(folder.shown(name), badLines, notices);
    try (InputStream in = new BufferedInputStream(new ForwardStream(folder.open(name)), 1 << 16)) {
      JsonLines.read(in, lines.file, JsonReader.Limits.FOREIGN, taker, lines::refused);
    } catch (IOException e) {
      if (Outage.isBehind(e)) {
        throw Outage.of(lines.file, e);
      }
      throw new DataException(lines.file + ": cannot be read: " + e, e);
    }
    return lines.skipped;
  }

  private void refused(long line, JsonException why) {
    String message = file + ":" + line + ": byte " + why.offset() + ": " + why.reason();
    if (badLines == BadLines.FAIL) {
      throw new DataException(message, why);
    }
    skipped++;
    notices.accept("skipped " + message);
  }

  /** As above, of a local file. */
  static long read(
      Path file, BadLines badLines, Consumer<String> notices, Consumer<Json.Obj> taker) {
    StorageLocation location = new StorageLocation(file.toString());
    return read(new InputFolder(location.parent()), location.name(), badLines, notices, taker);
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
