package dev.kindling.worker.pretrained;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.Position;
import dev.kindling.configs.yaml.ValueOrigin;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.PeftDirectory;
import dev.kindling.worker.plan.SparkSpec;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Completes plans of {@code model: {type: huggingface}} from their directories. Other plans stay as
 * they are.
 */
public final class PretrainedPlan {
  private PretrainedPlan() {}

  /**
   * Fills in what the directory of an adapter says, the family that config.json describes and,
   * where the configuration names no tokenizer, the directory's. Reads no weights. A plan that was
   * resolved before is not changed, and its directory not looked at.
   *
   * @throws CheckpointException if the directory holds no model of a known family
   * @throws PlanException if the model or the adapter does not fit the rest of the plan
   */
  public static Bound<TrainPlan> describe(Bound<TrainPlan> told) {
    TrainPlan adapted = adapted(told.value());
    boolean same = adapted.equals(told.value());
    return describeModel(same ? told : new Bound<>(adapted, told.origins()));
  }

  private static TrainPlan adapted(TrainPlan plan) {
    Adapter adapter = PeftDirectory.described(plan.adapter());
    try {
      return plan.with(adapter, plan.optimizer());
    } catch (IllegalArgumentException unfit) {
      throw new PlanException(String.valueOf(unfit.getMessage()));
    }
  }

  private static Bound<TrainPlan> describeModel(Bound<TrainPlan> read) {
    TrainPlan plan = read.value();
    if (!(plan.model() instanceof Huggingface model) || model.family().isPresent()) {
      return read;
    }
    ModelDirectory directory = directory(model, plan.spark());
    ModelFamily family = directory.family();
    boolean chosen =
        !ValueOrigin.DEFAULT.equals(
            read.origins().getOrDefault("tokenizer.type", ValueOrigin.DEFAULT));
    boolean offered = CompanionFiles.hasTokenizer(directory.folder());
    TokenizerSpec tokenizer =
        chosen || !offered
            ? plan.tokenizer()
            : new dev.kindling.worker.data.Huggingface(model.path(), Optional.empty());
    Map<String, ValueOrigin> origins = new LinkedHashMap<>(read.origins());
    Position config = new Position(directory.folder().shown(ModelDirectory.CONFIG), 1, 1);
    origins.put("model.family", new ValueOrigin(ValueOrigin.Source.FILE, Optional.of(config)));
    try {
      Huggingface described = new Huggingface(model.path(), model.sha256(), Optional.of(family));
      return new Bound<>(plan.withModel(described, tokenizer), origins);
    } catch (IllegalArgumentException unfit) {
      throw new PlanException(String.valueOf(unfit.getMessage()));
    }
  }

  /**
   * Checks the directory of a run that starts afresh, and fills in the hash of its weights, so that
   * the configuration says which weights it began with. Reads every byte of the weights.
   *
   * @param plan that went through {@link #describe}
   * @throws CheckpointException if weights are missing, left over or of another shape, if the
   *     tokenizer is larger than the table, or the directory is not the one of the configuration
   */
  public static TrainPlan pin(TrainPlan plan) {
    if (!(plan.model() instanceof Huggingface model)) {
      return plan;
    }
    ModelDirectory directory = directory(model, plan.spark());
    ModelFamily family = model.family().orElse(directory.family());
    try (Tokenizer tokenizer = Tokenizer.open(plan.tokenizer(), settings(plan.spark()))) {
      requireRows(directory, tokenizer);
    }
    try (PretrainedWeights weights = PretrainedWeights.open(directory, family)) {
      String found = weights.sha256();
      String expected = model.sha256().orElse(found);
      if (!expected.equals(found)) {
        throw new CheckpointException(
            model.path()
                + ": expected weights of model.sha256 "
                + expected
                + ", found "
                + found
                + ": the directory changed since this configuration was resolved");
      }
      Huggingface pinned = new Huggingface(model.path(), Optional.of(found), Optional.of(family));
      return plan.withModel(pinned, plan.tokenizer());
    }
  }

  /**
   * The weights with which a plan's run begins; to be closed.
   *
   * @param spark settings of the run, for a directory in another store
   */
  public static PretrainedWeights weights(Huggingface model, SparkSpec spark) {
    ModelDirectory directory = directory(model, spark);
    return PretrainedWeights.open(directory, model.family().orElse(directory.family()));
  }

  private static ModelDirectory directory(Huggingface model, SparkSpec spark) {
    return ModelDirectory.open(folder(model, spark));
  }

  static InputFolder folder(Huggingface model, SparkSpec spark) {
    return new InputFolder(StorageLocation.of(model.path()), settings(spark));
  }

  /** Without the words that a rank is told in the place of secrets. */
  private static Map<String, String> settings(SparkSpec spark) {
    return spark.withSecrets(Map.of()).conf();
  }

  /**
   * Refuses a tokenizer with more tokens than the model has rows.
   *
   * @throws CheckpointException that names both numbers
   */
  public static void requireRows(ModelDirectory directory, Tokenizer tokenizer) {
    int rows = directory.family().vocabulary().orElse(0);
    if (tokenizer.vocabularySize() > rows) {
      throw new CheckpointException(
          directory.folder().shown(ModelDirectory.CONFIG)
              + ": vocab_size: expected at least the "
              + tokenizer.vocabularySize()
              + " tokens of the tokenizer, found "
              + rows);
    }
  }
}
