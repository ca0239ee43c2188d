package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A file of one JSON object a line. A line that a kill tore is no line. */
final class JsonLines {
  private JsonLines() {}

  /** Reads the file; an absent one is empty. */
  static List<Json.Obj> read(Path file) throws IOException {
    List<Json.Obj> objects = new ArrayList<>();
    if (Files.exists(file)) {
      // Bytes, not text: a kill may have cut a character in two.
      String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
      for (String line : text.lines().toList()) {
        try {
          byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
          objects.add(JsonReader.read(bytes, file.toString()).asObject("line"));
        } catch (JsonException torn) {
          continue;
        }
      }
    }
    return objects;
  }
}
