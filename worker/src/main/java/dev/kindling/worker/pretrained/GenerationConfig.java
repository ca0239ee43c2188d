package dev.kindling.worker.pretrained;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What {@value #FILE} of a model directory says about generation.
 *
 * @param ends ids after which a text is complete ({@code eos_token_id}, one number or several)
 */
public record GenerationConfig(Set<Integer> ends) {
  static final String FILE = "generation_config.json";
  private static final int BYTES_MAX = 1 << 20;

  public GenerationConfig {
    ends = Set.copyOf(ends);
  }

  /**
   * Says nothing where there is no such file.
   *
   * @throws CheckpointException if the file cannot be read, names the byte
   */
  public static GenerationConfig of(InputFolder folder) {
    try {
      if (!folder.exists(FILE)) {
        return new GenerationConfig(Set.of());
      }
      byte[] text = folder.read(FILE, BYTES_MAX);
      Json.Obj config = JsonReader.read(text, FILE, JsonReader.Limits.FOREIGN).asObject(FILE);
      return new GenerationConfig(
          ends(config.find("eos_token_id").orElse(new Json.Null(Json.NOWHERE))));
    } catch (JsonException broken) {
      throw new CheckpointException(
          folder + "/" + FILE + ": byte " + broken.offset() + ": " + broken.reason(), broken);
    } catch (IOException unreadable) {
      throw new CheckpointException(folder + "/" + FILE + ": " + unreadable, unreadable);
    }
  }

  private static Set<Integer> ends(Json value) {
    if (value instanceof Json.Null) {
      return Set.of();
    }
    Set<Integer> ends = new HashSet<>();
    for (Json id : value instanceof Json.Arr several ? several.items() : List.of(value)) {
      ends.add((int) id.asInteger("eos_token_id", 0, Integer.MAX_VALUE - 1));
    }
    return ends;
  }
}
