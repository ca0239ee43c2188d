package dev.kindling.worker.peft;

import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.pretrained.PretrainedWeights;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a model without adapter that computes what a run with one has learnt: its base, at
 * the first values of the run, with the checkpoint's adapter merged into it. To be closed.
 */
public final class AdaptedWeights implements AutoCloseable {
  private final FirstValues values;
  private final @Nullable PretrainedWeights directory;

  private AdaptedWeights(FirstValues values, @Nullable PretrainedWeights directory) {
    this.values = values;
    this.directory = directory;
  }

  /** Whether checkpoints of the plan's runs hold the adapter alone. */
  public static boolean wanted(TrainPlan plan) {
    return !(plan.adapter() instanceof Full);
  }

  /**
   * @param model with its vocabulary fixed
   * @throws dev.kindling.worker.checkpoint.CheckpointException if the base is not the model
   *     directory with which the run began any more
   */
  public static AdaptedWeights open(
      TrainPlan plan, ModelFamily model, CheckpointStore store, Generation generation) {
    PretrainedWeights directory = null;
    FirstValues base =
        (param, from, target) -> Initialization.fill(param, plan.seed(), from, target);
    if (plan.model() instanceof Huggingface huggingface) {
      PretrainedPlan.pin(plan);
      directory = PretrainedPlan.weights(huggingface, plan.spark());
      base = directory;
    }
    FirstValues trained = trained(store, generation);
    FirstValues merged = plan.adapter().projection(model, plan.seed()).merged(base, trained);
    return new AdaptedWeights(merged, directory);
  }

  /** What a checkpoint holds of the parameters that are trained. */
  public static FirstValues trained(CheckpointStore store, Generation generation) {
    return (param, from, target) ->
        store.read(generation, PartKind.MODEL, param.name(), from * Float.BYTES, target);
  }

  /** Of the model's own parameters. */
  public FirstValues values() {
    return values;
  }

  @Override
  public void close() {
    if (directory != null) {
      directory.close();
    }
  }
}
