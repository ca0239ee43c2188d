package dev.kindling.worker.pretrained;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.prune.Kept;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What stands beside the weights in a model directory, and the types in which those are stored: in
 * the folder {@value #FOLDER} of a run that began from it, so that the run can be resumed and
 * exported when the directory is gone.
 *
 * @param files contents by name, config.json among them
 * @param dtypes types by the names of parameters
 */
public record CompanionFiles(Map<String, byte[]> files, Map<String, SafetensorsType> dtypes) {
  /** Inside the run folder. */
  public static final String FOLDER = "pretrained";

  static final String TOKENIZER = "tokenizer.json";
  private static final String DTYPES = "dtypes.json";
  private static final int FILE_BYTES_MAX = 256 << 20;

  private static final List<String> OF_MODEL =
      List.of(ModelDirectory.CONFIG, GenerationConfig.FILE, Kept.FILE);

  private static final List<String> ALL =
      List.of(
          ModelDirectory.CONFIG,
          GenerationConfig.FILE,
          Kept.FILE,
          TOKENIZER,
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "chat_template.jinja",
          "chat_template.json",
          "vocab.json",
          "merges.txt",
          "vocab.txt",
          "tokenizer.model",
          "spiece.model");

  public CompanionFiles {
    files = Collections.unmodifiableMap(new LinkedHashMap<>(files));
    dtypes = Collections.unmodifiableMap(new TreeMap<>(dtypes));
  }

  /**
   * Those of a directory.
   *
   * @param tokenizer whether to take the files of its tokenizer too
   */
  public static CompanionFiles of(
      InputFolder folder, PretrainedWeights weights, boolean tokenizer) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    try {
      for (String name : tokenizer ? ALL : OF_MODEL) {
        take(folder, name, files);
      }
    } catch (IOException unreadable) {
      throw new CheckpointException(folder + ": cannot be read: " + unreadable, unreadable);
    }
    return new CompanionFiles(files, weights.dtypes());
  }

  /** Those of a model that has no directory yet. */
  public static CompanionFiles described(String config, Map<String, SafetensorsType> dtypes) {
    byte[] text = config.getBytes(StandardCharsets.UTF_8);
    return new CompanionFiles(Map.of(ModelDirectory.CONFIG, text), dtypes);
  }

  private static void take(InputFolder folder, String name, Map<String, byte[]> files)
      throws IOException {
    if (folder.exists(name)) {
      files.put(name, folder.read(name, FILE_BYTES_MAX));
    }
  }

  /** Whether a directory has a tokenizer of its own. */
  public static boolean hasTokenizer(InputFolder folder) {
    try {
      return folder.exists(TOKENIZER);
    } catch (IOException unreadable) {
      throw new CheckpointException(folder + ": cannot be read: " + unreadable, unreadable);
    }
  }

  /**
   * Copies the files of a plan's directory into its run folder, in the place of earlier ones. Does
   * nothing for a plan that begins at random weights.
   *
   * @param settings of the folder's store, as Spark is given them
   */
  public static void keep(TrainPlan plan, StorageLocation run, Map<String, String> settings) {
    if (!(plan.model() instanceof Huggingface model)) {
      return;
    }
    InputFolder folder = PretrainedPlan.folder(model, plan.spark());
    boolean tokenizer = isTokenizerOf(plan.tokenizer(), folder);
    Storage storage = run.open(settings);
    try (PretrainedWeights weights = PretrainedPlan.weights(model, plan.spark())) {
      CompanionFiles source = of(folder, weights, tokenizer);
      Map<String, String> names = new TreeMap<>();
      source.dtypes().forEach((name, dtype) -> names.put(name, dtype.name()));
      storage.replace(FOLDER + "/" + DTYPES, Json.strings(names).bytes());
      for (String name : ALL) {
        byte[] content = source.files().get(name);
        if (content == null) {
          storage.delete(FOLDER + "/" + name);
        } else {
          storage.replace(FOLDER + "/" + name, content);
        }
      }
    } catch (IOException failed) {
      throw new CheckpointException(run.resolve(FOLDER) + ": " + failed, failed);
    }
  }

  private static boolean isTokenizerOf(TokenizerSpec spec, InputFolder folder) {
    return spec instanceof dev.kindling.worker.data.Huggingface tokenizer
        && tokenizer.absolute().file().equals(folder.location().absolute().resolve(TOKENIZER));
  }

  /** Those that a run keeps; empty for a run that began at random weights. */
  public static Optional<CompanionFiles> kept(StorageLocation run) {
    Storage storage = run.open(Map.of());
    Map<String, byte[]> files = new LinkedHashMap<>();
    try {
      for (String name : ALL) {
        take(storage, name, files);
      }
      if (!files.containsKey(ModelDirectory.CONFIG)) {
        return Optional.empty();
      }
      String file = FOLDER + "/" + DTYPES;
      return Optional.of(
          new CompanionFiles(files, dtypes(storage.read(file, FILE_BYTES_MAX), file)));
    } catch (IOException failed) {
      throw new CheckpointException(run.resolve(FOLDER) + ": " + failed, failed);
    }
  }

  private static void take(Storage storage, String name, Map<String, byte[]> files)
      throws IOException {
    try {
      files.put(name, storage.read(FOLDER + "/" + name, FILE_BYTES_MAX));
    } catch (NoSuchFileException absent) {
      return; // A directory has some of them.
    }
  }

  private static Map<String, SafetensorsType> dtypes(byte[] text, String file) {
    Map<String, SafetensorsType> dtypes = new TreeMap<>();
    try {
      Json.Obj read = JsonReader.read(text, file).asObject("the text");
      for (Map.Entry<String, Json> entry : read.members().entrySet()) {
        dtypes.put(
            entry.getKey(), SafetensorsType.valueOf(entry.getValue().asText(entry.getKey())));
      }
      return dtypes;
    } catch (JsonException | IllegalArgumentException damaged) {
      throw new CheckpointException(file + ": " + damaged.getMessage(), damaged);
    }
  }

  /**
   * The run's own copy of a tokenizer whose file is gone or in another store, else what the plan
   * says.
   */
  public static TokenizerSpec tokenizer(StorageLocation run, TokenizerSpec spec) {
    if (!(spec instanceof dev.kindling.worker.data.Huggingface tokenizer)) {
      return spec;
    }
    StorageLocation file = tokenizer.file();
    Path nowhere = run.path().orElse(Path.of(""));
    Path copy = nowhere.resolve(FOLDER).resolve(TOKENIZER);
    if (run.path().isEmpty()
        || file.path().filter(Files::exists).isPresent()
        || !Files.exists(copy)) {
      return spec;
    }
    return new dev.kindling.worker.data.Huggingface(
        copy.toAbsolutePath().toString(), tokenizer.documentSeparator());
  }

  /**
   * The config.json of an export: the source's own text, with another type of weights if it is to
   * change.
   *
   * @param dtype in which all weights are written; empty for that of the source
   */
  public String config(Optional<SafetensorsType> dtype) {
    byte[] own = files.getOrDefault(ModelDirectory.CONFIG, new byte[0]);
    if (dtype.isEmpty()) {
      return new String(own, StandardCharsets.UTF_8);
    }
    Json word = Json.of(word(dtype.get()));
    Json.Building changed = Json.object();
    boolean said = false;
    Json.Obj config = JsonReader.read(own, ModelDirectory.CONFIG).asObject("the text");
    for (Map.Entry<String, Json> member : config.members().entrySet()) {
      boolean type = member.getKey().equals("torch_dtype") || member.getKey().equals("dtype");
      changed.put(member.getKey(), type ? word : member.getValue());
      said |= type;
    }
    if (!said) {
      changed.put("torch_dtype", word);
    }
    return changed.build().write() + "\n";
  }

  /** The types to write weights in. */
  public Map<String, SafetensorsType> dtypes(Optional<SafetensorsType> wanted) {
    Map<String, SafetensorsType> chosen = new TreeMap<>(dtypes);
    wanted.ifPresent(dtype -> chosen.replaceAll((name, own) -> dtype));
    return chosen;
  }

  /** As transformers calls the type. */
  private static String word(SafetensorsType dtype) {
    return switch (dtype) {
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      default -> "float32";
    };
  }

  /** All files but config.json. */
  public Map<String, byte[]> others() {
    Map<String, byte[]> others = new LinkedHashMap<>(files);
    others.remove(ModelDirectory.CONFIG);
    return others;
  }
}
