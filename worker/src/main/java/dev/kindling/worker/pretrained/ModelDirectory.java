package dev.kindling.worker.pretrained;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * A Hugging Face model directory, on this machine or in any store, whose config.json is understood;
 * weights are opened apart. Its files may be links, as they are in the cache of the Hub's own
 * tools.
 */
public final class ModelDirectory {
  static final String CONFIG = "config.json";
  private static final int CONFIG_BYTES_MAX = 1 << 20;

  /** A damaged number must be a message, not a graph that fills the heap. */
  private static final int LAYERS_MAX = 1000;

  private final InputFolder folder;
  private final Json.Obj config;
  private final ModelFamily family;
  private final List<Param> params;

  private ModelDirectory(
      InputFolder folder, Json.Obj config, ModelFamily family, List<Param> params) {
    this.folder = folder;
    this.config = config;
    this.family = family;
    this.params = params;
  }

  /** Whether the folder says that it holds a model. */
  public static boolean isOne(InputFolder folder) {
    try {
      return folder.exists(CONFIG);
    } catch (IOException unreadable) {
      throw new CheckpointException(folder + ": cannot be read: " + unreadable, unreadable);
    }
  }

  /** As {@link #open(InputFolder)}, of a local folder. */
  public static ModelDirectory open(Path folder) {
    return open(InputFolder.local(folder));
  }

  /**
   * Reads config.json.
   *
   * @throws CheckpointException if there is none, or it describes no model of a known family
   */
  public static ModelDirectory open(InputFolder folder) {
    byte[] text;
    try {
      text = folder.read(CONFIG, CONFIG_BYTES_MAX);
    } catch (NoSuchFileException absent) {
      throw new CheckpointException(
          folder + ": expected a model directory, found no " + CONFIG, absent);
    } catch (IOException unreadable) {
      throw new CheckpointException(
          folder.shown(CONFIG) + ": cannot be read: " + unreadable, unreadable);
    }
    return of(folder, text);
  }

  /** As {@link #open(InputFolder)}, of a config.json that was read. */
  static ModelDirectory of(InputFolder folder, byte[] text) {
    String file = folder.shown(CONFIG);
    try {
      Json.Obj config = JsonReader.read(text, file).asObject("the text");
      ModelFamily family = ModelFamily.ofHuggingFace(config);
      if (family.layers() > LAYERS_MAX) {
        throw new PlanException(
            "config.json: layers: expected at most " + LAYERS_MAX + ", found " + family.layers());
      }
      return new ModelDirectory(folder, config, family, family.parameters());
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    } catch (PlanException | IllegalArgumentException refused) {
      String reason = String.valueOf(refused.getMessage());
      throw new CheckpointException(
          file + ": " + reason.replaceFirst("^config\\.json: ", ""), refused);
    } catch (ArithmeticException large) {
      throw new CheckpointException(
          file + ": expected a model that fits into memory, found sizes whose product does not",
          large);
    }
  }

  public InputFolder folder() {
    return folder;
  }

  /** What config.json says, whole. */
  public Json.Obj config() {
    return config;
  }

  /** The family that it describes, with its vocabulary. */
  public ModelFamily family() {
    return family;
  }

  /** All parameters of the family. */
  List<Param> params() {
    return params;
  }
}
