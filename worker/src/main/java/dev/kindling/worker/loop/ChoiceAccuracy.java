package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.evaluate.Continuation;
import dev.kindling.worker.evaluate.EncodedQuestion;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.util.List;
import java.util.Map;

/**
 * Share of the questions of {@code validation.choices} that the weights answer right, each choice
 * scored by the mean log-probability of its tokens. Choice j is computed by rank j mod W; each rank
 * fills its own entries of one table and a sum with zeros joins them: for the same weights the same
 * bits for any number of ranks.
 */
final class ChoiceAccuracy implements AutoCloseable {
  private final List<EncodedQuestion> questions;
  private final List<Continuation> choices;
  private final StepProgram program;
  private final Communicator data;
  private final Span losses;

  ChoiceAccuracy(List<EncodedQuestion> questions, StepProgram program, Communicator data) {
    this.questions = questions;
    this.choices = questions.stream().flatMap(question -> question.choices().stream()).toList();
    this.program = program;
    this.data = data;
    this.losses = Span.allocate((long) choices.size() * Float.BYTES);
  }

  /**
   * The questions that a plan asks, in the tokens of its prepared set; none if it asks none.
   *
   * @throws dev.kindling.worker.data.DataException naming file and line of a bad one
   */
  static List<EncodedQuestion> questions(TrainPlan plan, TokenShards shards) {
    if (!plan.asksQuestions()) {
      return List.of();
    }
    StorageLocation file = StorageLocation.of(plan.validation().choices().orElseThrow());
    Map<String, String> settings = plan.spark().withSecrets(Map.of()).conf();
    try (Tokenizer tokenizer = shards.tokenizer()) {
      InputFolder folder = new InputFolder(file.parent(), settings);
      return EncodedQuestion.read(folder, file.name(), tokenizer, plan.sequenceLength());
    }
  }

  /** In [0, 1]; NaN if a loss is not finite. All ranks together. */
  float run() {
    for (int i = 0; i < choices.size(); i++) {
      losses.putFloat(i, 0f);
    }
    for (int first = 0; first < choices.size(); first += data.worldSize()) {
      int own = first + data.rank();
      if (own < choices.size()) {
        write(choices.get(own), program.sequence());
      }
      // All ranks run it, also one without a choice left: sharded weights are gathered inside.
      float loss = program.score();
      if (own < choices.size()) {
        losses.putFloat(own, loss);
      }
    }
    data.allReduce(losses, DType.F32, Reduction.SUM);
    return accuracy();
  }

  /** What stands behind a choice is never seen from it: attention is causal. */
  private static void write(Continuation choice, StepInputs inputs) {
    int[] stream = choice.stream();
    for (int i = 0; i < inputs.tokens().limit(); i++) {
      boolean real = i < stream.length - 1;
      boolean counts = real && i + 1 >= choice.from();
      inputs.tokens().put(i, real ? stream[i] : 0);
      inputs.targets().put(i, counts ? stream[i + 1] : CrossEntropy.IGNORED);
      inputs.positions().put(i, i);
    }
  }

  private float accuracy() {
    int right = 0;
    int next = 0;
    for (EncodedQuestion question : questions) {
      double[] means = new double[question.choices().size()];
      for (int i = 0; i < means.length; i++) {
        float loss = losses.getFloat(next);
        if (!Float.isFinite(loss)) {
          return Float.NaN;
        }
        means[i] = -(double) loss / choices.get(next++).tokens();
      }
      right += question.answeredBy(means) ? 1 : 0;
    }
    return (float) right / questions.size();
  }

  @Override
  public void close() {
    losses.close();
  }
}
