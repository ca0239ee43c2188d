package dev.kindling.worker.generate;

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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Programs of a model with its weights, and its tokenizer.
 *
 * @param origin what was loaded, for people
 * @param step of the run, 0 for a model directory
 */
public record LoadedModel<P extends ModelPrograms>(
    P programs, Tokenizer tokenizer, String origin, long step) implements AutoCloseable {
  private static final String WEIGHTS = "model.safetensors";
  private static final int CONFIG_BYTES_MAX = 1 << 20;

  /** A window of 131,072 tokens, which some promise, would take the memory of this machine. */
  private static final int DIRECTORY_CONTEXT_MAX = 1024;

  /** Builds what is wanted of a model. */
  public interface Maker<P> {
    /**
     * @param model with its vocabulary fixed
     * @param context tokens that it sees at once: the run's, at most 1,024 of a model directory
     */
    P make(ModelFamily model, int context);
  }

  /**
   * Loads a run folder (its newest valid checkpoint) or a local Hugging Face model directory.
   *
   * @throws CheckpointException if there are no weights, or they are not the model's
   */
  public static <P extends ModelPrograms> LoadedModel<P> open(
      StorageLocation folder, Maker<P> maker) {
    Optional<Path> directory = folder.path().filter(p -> Files.exists(p.resolve("config.json")));
    if (directory.isPresent()) {
      return ofDirectory(directory.get(), maker);
    }
    CheckpointStore store = CheckpointStore.open(folder.resolve("checkpoints").open(Map.of()), 2);
    List<String> refusals = new ArrayList<>();
    Optional<Generation> newest = store.newestValid(refusals);
    if (newest.isEmpty()) {
      throw new CheckpointException(
          folder + ": expected a run folder with a checkpoint or a model directory, found neither");
    }
    return ofRun(store, newest.get(), folder, maker);
  }

  private static <P extends ModelPrograms> LoadedModel<P> ofRun(
      CheckpointStore store, Generation generation, StorageLocation folder, Maker<P> maker) {
    TrainPlan plan = PlanReader.fromYaml(generation.facts().config());
    Tokenizer tokenizer = Tokenizer.open(plan.tokenizer());
    ModelFamily model = plan.model().withVocabulary(tokenizer.vocabularySize());
    P programs = maker.make(model, plan.sequenceLength());
    List<NamedSpan> targets = new ArrayList<>();
    for (Param param : programs.params()) {
      targets.add(new NamedSpan(param.name(), param.shape(), programs.weight(param.name())));
    }
    store.load(generation, PartKind.MODEL, targets);
    programs.params().forEach(param -> programs.filled(param.name()));
    String origin = "step " + generation.step() + " of " + folder;
    return new LoadedModel<>(programs, tokenizer, origin, generation.step());
  }

  private static <P extends ModelPrograms> LoadedModel<P> ofDirectory(Path folder, Maker<P> maker) {
    Storage storage = new LocalStorage(folder);
    ModelFamily model = family(storage);
    int vocabulary = model.vocabulary().orElse(0);
    Tokenizer tokenizer = Tokenizer.open(tokenizer(folder, vocabulary));
    P programs = maker.make(model, Math.min(model.context(), DIRECTORY_CONTEXT_MAX));
    try (SafetensorsFile weights = SafetensorsFile.open(storage, WEIGHTS)) {
      for (Param param : programs.params()) {
        Span target = programs.weight(param.name());
        weights.readFloats(param.name(), target);
        programs.filled(param.name());
      }
    }
    return new LoadedModel<>(programs, tokenizer, folder.toString(), 0);
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
    return programs.params().stream().mapToLong(param -> param.shape().elements()).sum();
  }

  @Override
  public void close() {
    programs.close();
    tokenizer.close();
  }
}
