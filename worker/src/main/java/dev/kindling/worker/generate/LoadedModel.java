package dev.kindling.worker.generate;

import dev.kindling.kernels.graph.Param;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.NamedSpan;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Huggingface;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.AdaptedWeights;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.store.StorageLocation;
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
    Optional<Path> directory = folder.path().filter(ModelDirectory::isOne);
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
    Tokenizer tokenizer = Tokenizer.open(CompanionFiles.tokenizer(folder, plan.tokenizer()));
    ModelFamily model = plan.model().withVocabulary(tokenizer.vocabularySize());
    P programs = maker.make(model, plan.sequenceLength());
    if (AdaptedWeights.wanted(plan)) {
      try (AdaptedWeights merged = AdaptedWeights.open(plan, model, store, generation)) {
        for (Param param : programs.params()) {
          merged.values().fill(param, 0, programs.weight(param.name()));
        }
      }
    } else {
      List<NamedSpan> targets = new ArrayList<>();
      for (Param param : programs.params()) {
        targets.add(new NamedSpan(param.name(), param.shape(), programs.weight(param.name())));
      }
      store.load(generation, PartKind.MODEL, targets);
    }
    programs.params().forEach(param -> programs.filled(param.name()));
    String origin = "step " + generation.step() + " of " + folder;
    return new LoadedModel<>(programs, tokenizer, origin, generation.step());
  }

  private static <P extends ModelPrograms> LoadedModel<P> ofDirectory(Path folder, Maker<P> maker) {
    ModelDirectory directory = ModelDirectory.open(folder);
    ModelFamily model = directory.family();
    Tokenizer tokenizer = Tokenizer.open(tokenizer(folder, model.vocabulary().orElse(0)));
    PretrainedPlan.requireRows(directory, tokenizer);
    try (PretrainedWeights weights = PretrainedWeights.open(directory)) {
      P programs = maker.make(model, Math.min(model.context(), DIRECTORY_CONTEXT_MAX));
      for (Param param : programs.params()) {
        weights.fill(param, 0, programs.weight(param.name()));
        programs.filled(param.name());
      }
      return new LoadedModel<>(programs, tokenizer, folder.toString(), 0);
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
