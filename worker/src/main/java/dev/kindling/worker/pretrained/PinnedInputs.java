package dev.kindling.worker.pretrained;

import dev.kindling.optim.objective.Objective;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.model.Huggingface;
import dev.kindling.worker.peft.PeftDirectory;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.FileHash;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Outage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.util.Map;

/**
 * What decides the steps of a run and lies outside its folder and its prepared set: the weights of
 * a model directory, those of an adapter, the questions of an objective. Their hashes stand in the
 * configuration of the run, which so goes on with what it began with or not at all.
 */
public final class PinnedInputs {
  private PinnedInputs() {}

  /**
   * Fills in the hashes of a run that starts afresh, or checks those that are there.
   *
   * @param plan that went through {@link PretrainedPlan#describe}
   * @throws dev.kindling.worker.checkpoint.CheckpointException as {@link PretrainedPlan#pin}, or of
   *     an adapter's directory that is another one
   * @throws DataException if questions are others, or cannot be read
   */
  public static TrainPlan pin(TrainPlan plan) {
    return PretrainedPlan.pin(plan)
        .with(PeftDirectory.pinned(plan.adapter()), questions(plan.optimizer(), plan));
  }

  /**
   * Checks what a run that goes on still reads: the questions always, the directory of a model with
   * an adapter too, because checkpoints hold what is trained alone; the rest before the first
   * checkpoint.
   *
   * @param afresh whether the run has no checkpoint yet
   */
  public static void require(TrainPlan plan, boolean afresh) {
    boolean adapts = !(plan.adapter() instanceof Full);
    if (plan.model() instanceof Huggingface && (adapts || afresh)) {
      PretrainedPlan.pin(plan);
    }
    if (afresh) {
      PeftDirectory.pinned(plan.adapter());
    }
    requireQuestions(plan);
  }

  /**
   * Checks the questions of an objective, on any rank.
   *
   * @throws DataException if they are others than those of the configuration, or cannot be read
   * @throws java.io.UncheckedIOException if their store cannot be reached
   */
  public static void requireQuestions(TrainPlan plan) {
    questions(plan.optimizer(), plan);
  }

  private static Descent questions(Descent rule, TrainPlan plan) {
    if (!(rule instanceof Mezo mezo) || mezo.objective().file().isEmpty()) {
      return rule;
    }
    Objective objective = mezo.objective();
    StorageLocation file = StorageLocation.of(objective.file().get());
    Map<String, String> settings = plan.spark().withSecrets(Map.of()).conf();
    String found;
    try {
      found = FileHash.of(new InputFolder(file.parent(), settings), file.name());
    } catch (IOException unreadable) {
      if (Outage.isBehind(unreadable)) {
        throw Outage.of(file.toString(), unreadable);
      }
      throw new DataException(String.valueOf(unreadable.getMessage()), unreadable);
    }
    String expected = objective.sha256().orElse(found);
    if (!expected.equals(found)) {
      throw new DataException(
          file
              + ": expected questions of optimizer.objective.sha256 "
              + expected
              + ", found "
              + found
              + ": the file changed since this configuration was resolved");
    }
    return mezo.with(objective.holding(found));
  }
}
