package dev.kindling.worker.generate;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Closing;
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
import dev.kindling.worker.pretrained.GenerationConfig;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Programs of a model with its weights, and its tokenizer.
 *
 * @param ends ids after which a text is complete: those of the tokenizer and of a directory's
 *     generation_config.json
 * @param origin what was loaded, for people
 * @param step of the run, 0 for a model directory
 */
public record LoadedModel<P extends ModelPrograms>(
    P programs, Tokenizer tokenizer, Set<Integer> ends, String origin, long step)
    implements AutoCloseable {

  /** A window of 131,072 tokens, which some promise, would take the memory of this machine. */
  private static final int UNASKED_CONTEXT_MAX = 1024;

  /** Builds what is wanted of a model. */
  public interface Maker<P> {
    /**
     * @param model with its vocabulary fixed
     * @param context tokens that it sees at once
     */
    P make(ModelFamily model, int context);
  }

  /**
   * Loads a run folder (its newest valid checkpoint) or a Hugging Face model directory.
   *
   * @param context tokens that the model sees at once; by default the sequence length of a run, the
   *     context of a model directory up to 1,024
   * @param notices hears it if the default is less than the context of a model directory
   * @throws CheckpointException if there are no weights, or they are not the model's
   * @throws PlanException if the context is longer than the model's
   */
  public static <P extends ModelPrograms> LoadedModel<P> open(
      StorageLocation folder, Optional<Integer> context, Consumer<String> notices, Maker<P> maker) {
    InputFolder directory = new InputFolder(folder);
    if (ModelDirectory.isOne(directory)) {
      return ofDirectory(directory, context, notices, maker);
    }
    CheckpointStore store = CheckpointStore.open(folder.resolve("checkpoints").open(Map.of()), 2);
    List<String> refusals = new ArrayList<>();
    Optional<Generation> newest = store.newestValid(refusals);
    if (newest.isEmpty()) {
      throw new CheckpointException(
          folder + ": expected a run folder with a checkpoint or a model directory, found neither");
    }
    return ofRun(store, newest.get(), folder, context, maker);
  }

  private static <P extends ModelPrograms> LoadedModel<P> ofRun(
      CheckpointStore store,
      Generation generation,
      StorageLocation folder,
      Optional<Integer> context,
      Maker<P> maker) {
    TrainPlan plan = PlanReader.fromYaml(generation.facts().config());
    Tokenizer tokenizer = Tokenizer.open(CompanionFiles.tokenizer(folder, plan.tokenizer()));
    try {
      ModelFamily model = plan.model().withVocabulary(tokenizer.vocabularySize());
      Set<Integer> ends = ends(tokenizer, new InputFolder(folder.resolve(CompanionFiles.FOLDER)));
      P programs = maker.make(model, asked(model, context).orElse(plan.sequenceLength()));
      filling(
          programs,
          () -> {
            if (AdaptedWeights.wanted(plan)) {
              merge(programs, plan, model, store, generation);
            } else {
              load(programs, store, generation);
            }
            programs.params().forEach(param -> programs.filled(param.name()));
          });
      String origin = "step " + generation.step() + " of " + folder;
      return new LoadedModel<>(programs, tokenizer, ends, origin, generation.step());
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, tokenizer);
      throw failure;
    }
  }

  private static void merge(
      ModelPrograms programs,
      TrainPlan plan,
      ModelFamily model,
      CheckpointStore store,
      Generation generation) {
    try (AdaptedWeights merged = AdaptedWeights.open(plan, model, store, generation)) {
      for (Param param : programs.params()) {
        merged.values().fill(param, 0, programs.weight(param.name()));
      }
    }
  }

  private static void load(ModelPrograms programs, CheckpointStore store, Generation generation) {
    List<NamedSpan> targets = new ArrayList<>();
    for (Param param : programs.params()) {
      targets.add(new NamedSpan(param.name(), param.shape(), programs.weight(param.name())));
    }
    store.load(generation, PartKind.MODEL, targets);
  }

  private static <P extends ModelPrograms> LoadedModel<P> ofDirectory(
      InputFolder folder, Optional<Integer> context, Consumer<String> notices, Maker<P> maker) {
    ModelDirectory directory = ModelDirectory.open(folder);
    ModelFamily model = directory.family();
    Tokenizer tokenizer = Tokenizer.open(tokenizer(folder, model.vocabulary().orElse(0)));
    try (PretrainedWeights weights = PretrainedWeights.open(directory)) {
      PretrainedPlan.requireRows(directory, tokenizer);
      Set<Integer> ends = ends(tokenizer, folder);
      int tokens = asked(model, context).orElseGet(() -> unasked(model, notices));
      P programs = maker.make(model, tokens);
      filling(
          programs,
          () -> {
            for (Param param : programs.params()) {
              weights.fill(param, 0, programs.weight(param.name()));
              programs.filled(param.name());
            }
          });
      return new LoadedModel<>(programs, tokenizer, ends, folder.toString(), 0);
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, tokenizer);
      throw failure;
    }
  }

  private static Set<Integer> ends(Tokenizer tokenizer, InputFolder folder) {
    Set<Integer> ends = new HashSet<>(tokenizer.ends());
    ends.addAll(GenerationConfig.of(folder).ends());
    return Set.copyOf(ends);
  }

  /** A backend must not be closed before the memory of its programs. */
  private static void filling(ModelPrograms programs, Runnable fill) {
    try {
      fill.run();
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, programs);
      throw failure;
    }
  }

  private static Optional<Integer> asked(ModelFamily model, Optional<Integer> context) {
    context.ifPresent(
        tokens -> {
          if (tokens < 1 || tokens > model.context()) {
            throw new PlanException(
                "context: expected 1 to %d tokens (the model's), found %d"
                    .formatted(model.context(), tokens));
          }
        });
    return context;
  }

  private static int unasked(ModelFamily model, Consumer<String> notices) {
    if (model.context() > UNASKED_CONTEXT_MAX) {
      notices.accept(
          "context: %d of the model's %d tokens; --context N takes more"
              .formatted(UNASKED_CONTEXT_MAX, model.context()));
    }
    return Math.min(model.context(), UNASKED_CONTEXT_MAX);
  }

  private static TokenizerSpec tokenizer(InputFolder folder, int vocabulary) {
    if (CompanionFiles.hasTokenizer(folder)) {
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
