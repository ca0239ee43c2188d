package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.NamedSpan;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Huggingface;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model and its tokenizer, ready to generate.
 *
 * @param origin what was loaded, for people
 * @param step of the run, 0 for a model directory
 */
public record LoadedModel(Generator generator, Tokenizer tokenizer, String origin, long step)
    implements AutoCloseable {
  private static final String WEIGHTS = "model.safetensors";
  private static final int CONFIG_BYTES_MAX = 1 << 20;

  /**
   * Loads a run folder (its newest valid checkpoint) or a local Hugging Face model directory.
   *
   * @throws CheckpointException if there are no weights, or they are not the model's
   */
  public static LoadedModel open(StorageLocation folder, Backend backend) {
    Optional<Path> directory = folder.path().filter(p -> Files.exists(p.resolve("config.json")));
    if (directory.isPresent()) {
      return ofDirectory(directory.get(), backend);
    }
    CheckpointStore store = CheckpointStore.open(folder.resolve("checkpoints").open(Map.of()), 2);
    List<String> refusals = new ArrayList<>();
    Optional<Generation> newest = store.newestValid(refusals);
    if (newest.isEmpty()) {
      throw new CheckpointException(
          folder + ": expected a run folder with a checkpoint or a model directory, found neither");
    }
    return ofRun(store, newest.get(), folder, backend);
  }

  private static LoadedModel ofRun(
      CheckpointStore store, Generation generation, StorageLocation folder, Backend backend) {
    TrainPlan plan = PlanReader.fromYaml(generation.facts().config());
    Tokenizer tokenizer = Tokenizer.open(plan.tokenizer());
    ModelFamily model = plan.model().withVocabulary(tokenizer.vocabularySize());
    Generator generator = new Generator(model, plan.sequenceLength(), backend);
    List<NamedSpan> targets = new ArrayList<>();
    for (Param param : generator.params()) {
      targets.add(new NamedSpan(param.name(), param.shape(), generator.weight(param.name())));
    }
    store.load(generation, PartKind.MODEL, targets);
    String origin = "step " + generation.step() + " of " + folder;
    return new LoadedModel(generator, tokenizer, origin, generation.step());
  }

  private static LoadedModel ofDirectory(Path folder, Backend backend) {
    Storage storage = new LocalStorage(folder);
    ModelFamily model = family(storage);
    int vocabulary = model.vocabulary().orElse(0);
    Tokenizer tokenizer = Tokenizer.open(tokenizer(folder, vocabulary));
    Generator generator = new Generator(model, Math.min(model.context(), 1024), backend);
    try (SafetensorsFile weights = SafetensorsFile.open(storage, WEIGHTS)) {
      for (Param param : generator.params()) {
        Span target = generator.weight(param.name());
        weights.readFloats(param.name(), target);
      }
    }
    return new LoadedModel(generator, tokenizer, folder.toString(), 0);
  }

  private static ModelFamily family(Storage storage) {
    try {
      byte[] config = storage.read("config.json", CONFIG_BYTES_MAX);
      return ModelFamily.ofHuggingFace(
          JsonReader.read(config, "config.json").asObject("config.json"));
    } catch (IOException e) {
      throw new CheckpointException(storage.location() + "/config.json: cannot be read: " + e, e);
    }
  }

  private static TokenizerSpec tokenizer(Path folder, int vocabulary) {
    if (Files.exists(folder.resolve("tokenizer.json"))) {
      return new Huggingface(folder.toString(), Optional.empty());
    }
    if (vocabulary == 256) {
      return new Bytes();
    }
    throw new DataException(
        folder + ": expected tokenizer.json for a vocabulary of " + vocabulary + ", found none");
  }

  /** Scalars of the model. */
  public long parameters() {
    return generator.params().stream().mapToLong(param -> param.shape().elements()).sum();
  }

  /**
   * Continues a text.
   *
   * @param prompt may be empty: the text then starts after a document separator
   * @param tokens number of tokens to write; fewer if the model ends the document
   * @return the continuation without the prompt, printable: control characters other than line
   *     breaks and tabs, and bytes that are no UTF-8, appear as U+FFFD
   */
  public String generate(String prompt, int tokens, Sampling sampling) {
    int[] ids = tokenizer.encode(prompt.getBytes(StandardCharsets.UTF_8));
    int[] start = ids.length == 0 ? new int[] {tokenizer.separator()} : ids;
    int[] written =
        generator.sample(
            start, tokens, sampling, tokenizer.vocabularySize(), tokenizer.separator());
    return printable(tokenizer.decode(written));
  }

  static String printable(String text) {
    StringBuilder clean = new StringBuilder(text.length());
    text.codePoints()
        .map(c -> Character.isISOControl(c) && c != '\n' && c != '\t' && c != '\r' ? 0xFFFD : c)
        .forEach(clean::appendCodePoint);
    return clean.toString();
  }

  @Override
  public void close() {
    generator.close();
    tokenizer.close();
  }
}
