package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.evaluate.EncodedQuestion;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepProgram;
import java.util.List;
import java.util.Optional;

/** What is measured at intervals: loss on held-out samples, answers to questions, or both. */
final class Validation implements AutoCloseable {
  private final Optional<HeldOutLoss> held;
  private final Optional<ChoiceAccuracy> choices;

  private Validation(Optional<HeldOutLoss> held, Optional<ChoiceAccuracy> choices) {
    this.held = held;
    this.choices = choices;
  }

  /**
   * Empty where the plan asks for none, or there is nothing to measure.
   *
   * @param questions may be none
   */
  static Optional<Validation> open(
      TrainPlan plan,
      TokenShards shards,
      List<EncodedQuestion> questions,
      StepProgram program,
      Communicator data) {
    if (plan.validation().everySteps() == 0) {
      return Optional.empty();
    }
    Optional<HeldOutLoss> held = HeldOutLoss.open(plan, shards, program, data);
    Optional<ChoiceAccuracy> choices =
        questions.isEmpty()
            ? Optional.empty()
            : Optional.of(new ChoiceAccuracy(questions, program, data));
    return held.isEmpty() && choices.isEmpty()
        ? Optional.empty()
        : Optional.of(new Validation(held, choices));
  }

  /**
   * @param held loss on held-out samples, {@link HeldOutLoss.Mean#NONE} without any
   * @param accuracy share of the questions answered right, NaN without any
   */
  record Result(HeldOutLoss.Mean held, float accuracy) {}

  /** All ranks together. */
  Result run() {
    HeldOutLoss.Mean mean = held.map(HeldOutLoss::run).orElse(HeldOutLoss.Mean.NONE);
    return new Result(mean, choices.map(ChoiceAccuracy::run).orElse(Float.NaN));
  }

  @Override
  public void close() {
    held.ifPresent(HeldOutLoss::close);
    choices.ifPresent(ChoiceAccuracy::close);
  }
}
