package dev.kindling.worker.pretrained;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.store.FileHash;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The safetensors of a model directory: {@code model.safetensors}, else the files that {@code
 * model.safetensors.index.json} names. All headers are read and checked against each other and the
 * index; no weight is.
 */
final class WeightFiles {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  private static final int INDEX_BYTES_MAX = 100_000_000;

  /** A file beside the index: whoever wrote the index must not choose what else is opened. */
  private static final Pattern FILE =
      Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._=-]{0,180}\\.safetensors");

  private static final JsonReader.Limits LIMITS = new JsonReader.Limits(16, 1 << 20, 40, 2_000_000);

  /** Where a tensor lies. */
  record Place(String file, TensorEntry entry) {}

  private final InputFolder folder;
  private final List<String> files;
  private final Map<String, Place> tensors;

  private WeightFiles(InputFolder folder, List<String> files, Map<String, Place> tensors) {
    this.folder = folder;
    this.files = files;
    this.tensors = Collections.unmodifiableMap(tensors);
  }

  /**
   * Reads the index and all headers.
   *
   * @throws CheckpointException if a file is missing or refused, or index and files disagree
   */
  static WeightFiles open(InputFolder folder) {
    try {
      if (folder.exists(SINGLE)) {
        return of(folder, List.of(SINGLE));
      }
      if (!folder.exists(INDEX)) {
        throw new CheckpointException(
            folder + ": expected " + SINGLE + " or " + INDEX + ", found neither" + pickle(folder));
      }
      byte[] text = folder.read(INDEX, INDEX_BYTES_MAX);
      Map<String, String> fileOf = index(text, folder.shown(INDEX));
      WeightFiles found = of(folder, List.copyOf(new TreeSet<>(fileOf.values())));
      found.requireAsIndexed(fileOf);
      return found;
    } catch (IOException unreadable) {
      throw new CheckpointException(folder + ": cannot be read: " + unreadable, unreadable);
    }
  }

  private static String pickle(InputFolder folder) throws IOException {
    return folder.exists("pytorch_model.bin") || folder.exists("pytorch_model.bin.index.json")
        ? " but a pickle (pytorch_model.bin), which can run code when it is read; convert it to"
            + " safetensors where you trust it"
        : "";
  }

  /** The files of tensors by their names, as an index says it. */
  static Map<String, String> index(byte[] text, String file) {
    try {
      Map<String, String> fileOf =
          JsonReader.read(text, file, LIMITS).asObject("the text").stringMap("weight_map");
      if (fileOf.isEmpty()) {
        throw new CheckpointException(file + ": weight_map: expected tensors, found none");
      }
      for (Map.Entry<String, String> entry : fileOf.entrySet()) {
        if (!FILE.matcher(entry.getValue()).matches()) {
          throw new CheckpointException(
              file
                  + ": tensor "
                  + entry.getKey()
                  + ": expected the name of a .safetensors file in the same folder, found "
                  + Json.of(entry.getValue()).write());
        }
      }
      return fileOf;
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    }
  }

  private static WeightFiles of(InputFolder folder, List<String> files) {
    Map<String, Place> tensors = new TreeMap<>();
    for (String file : files) {
      try (SafetensorsFile open = open(folder, file)) {
        for (TensorEntry entry : open.header().tensors().values()) {
          Place other = tensors.put(entry.name(), new Place(file, entry));
          if (other != null) {
            throw new CheckpointException(
                folder.shown(file)
                    + ": tensor "
                    + entry.name()
                    + ": expected in one file, found in "
                    + other.file()
                    + " too");
          }
        }
      }
    }
    return new WeightFiles(folder, files, tensors);
  }

  private void requireAsIndexed(Map<String, String> fileOf) {
    String index = folder.shown(INDEX);
    for (Map.Entry<String, String> entry : fileOf.entrySet()) {
      Place place = tensors.get(entry.getKey());
      if (place == null || !place.file().equals(entry.getValue())) {
        throw new CheckpointException(
            index
                + ": tensor "
                + entry.getKey()
                + ": expected in "
                + entry.getValue()
                + ", found in "
                + (place == null ? "no file" : place.file()));
      }
    }
    for (Map.Entry<String, Place> tensor : tensors.entrySet()) {
      if (!fileOf.containsKey(tensor.getKey())) {
        throw new CheckpointException(
            index
                + ": tensor "
                + tensor.getKey()
                + ": found in "
                + tensor.getValue().file()
                + ", expected in weight_map too");
      }
    }
  }

  /** All tensors by name, whatever they are for. */
  Map<String, Place> tensors() {
    return tensors;
  }

  /** Opens one of the files again; its header is checked again. */
  SafetensorsFile open(String file) {
    return open(folder, file);
  }

  private static SafetensorsFile open(InputFolder folder, String file) {
    String shown = folder.shown(file);
    try {
      return SafetensorsFile.of(folder.open(file), shown);
    } catch (NoSuchFileException absent) {
      throw new CheckpointException(
          shown + ": expected a file that " + INDEX + " names, found none", absent);
    } catch (IOException unreadable) {
      throw new CheckpointException(shown + ": cannot be read: " + unreadable, unreadable);
    }
  }

  /**
   * Hash of names, lengths and contents of all files, as 64 hexadecimal digits. Reads every byte.
   */
  String sha256() {
    try {
      return FileHash.of(folder, files);
    } catch (IOException unreadable) {
      throw new CheckpointException(unreadable.getMessage(), unreadable);
    }
  }
}
