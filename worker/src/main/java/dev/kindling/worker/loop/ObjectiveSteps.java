package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.objective.Objective;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.SampleDigest;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.evaluate.Continuation;
import dev.kindling.worker.evaluate.EncodedQuestion;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PinnedInputs;
import dev.kindling.worker.step.PointPass;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Zeroth-order steps towards an objective that has no gradient: its mean over the questions of a
 * step, at both points of each direction, stands where the loss would stand. Question j of a step
 * is asked by rank j mod W; ranks exchange two sums for each direction, a count and a vote, fp64.
 */
final class ObjectiveSteps implements AutoCloseable {
  private final Mezo rule;
  private final Objective objective;
  private final List<EncodedQuestion> questions;
  private final Tokenizer tokenizer;
  private final StepProgram program;
  private final Communicator data;
  private final SampleOrder order;
  private final Deque<StepOutcome> done = new ArrayDeque<>();
  private final double[] sums;

  private ObjectiveSteps(
      TrainPlan plan,
      Mezo rule,
      List<EncodedQuestion> questions,
      Tokenizer tokenizer,
      StepProgram program,
      Communicator data) {
    this.rule = rule;
    this.objective = rule.objective();
    this.questions = questions;
    this.tokenizer = tokenizer;
    this.program = program;
    this.data = data;
    this.order = new SampleOrder(plan.seed(), questions.size());
    this.sums = new double[2 * rule.directions() + 2];
  }

  /**
   * Nothing where the loss of the training data is the objective.
   *
   * @throws DataException if the file of questions is missing, bad, another one than at the start
   *     of the run, or a prompt leaves no room
   */
  static Optional<ObjectiveSteps> open(
      TrainPlan plan, TokenShards shards, StepProgram program, Communicator data) {
    if (!(plan.optimizer() instanceof Mezo rule) || rule.objective().file().isEmpty()) {
      return Optional.empty();
    }
    PinnedInputs.requireQuestions(plan);
    StorageLocation file = StorageLocation.of(rule.objective().file().get());
    Map<String, String> settings = plan.spark().withSecrets(Map.of()).conf();
    Tokenizer tokenizer = shards.tokenizer();
    try {
      InputFolder folder = new InputFolder(file.parent(), settings);
      List<EncodedQuestion> questions =
          EncodedQuestion.read(folder, file.name(), tokenizer, plan.sequenceLength());
      expectRoom(plan, rule.objective(), questions);
      return Optional.of(new ObjectiveSteps(plan, rule, questions, tokenizer, program, data));
    } catch (RuntimeException | Error failure) {
      tokenizer.close();
      throw failure;
    }
  }

  private static void expectRoom(
      TrainPlan plan, Objective objective, List<EncodedQuestion> questions) {
    for (int i = 0; objective.tokens() > 0 && i < questions.size(); i++) {
      int prompt = questions.get(i).right().from();
      if (prompt + objective.tokens() > plan.sequenceLength()) {
        throw new DataException(
            objective.file().orElse("")
                + ": question "
                + (i + 1)
                + ": expected a prompt of at most sequence_length "
                + plan.sequenceLength()
                + " less optimizer.objective.tokens "
                + objective.tokens()
                + " tokens, found "
                + prompt);
      }
    }
  }

  /**
   * Makes a step. All ranks together.
   *
   * @param factor the schedule's
   */
  void submit(long step, double factor, boolean vote, StepLedger ledger) {
    program.slopes().begin(step, (float) (rule.lr() * factor));
    Arrays.fill(sums, 0);
    for (int place = data.rank(); place < objective.batch(); place += data.worldSize()) {
      long index = order.at((step - 1) * objective.batch() + place);
      ledger.feed(step, SampleDigest.of(place, index));
      EncodedQuestion question = questions.get((int) index);
      for (int direction = 0; direction < rule.directions(); direction++) {
        double[] values = values(program.slopes().points(), question, direction);
        sums[2 * direction] += 1 - values[0];
        sums[2 * direction + 1] += 1 - values[1];
      }
      sums[sums.length - 2]++;
    }
    sums[sums.length - 1] = vote ? 1 : 0;
    finish(exchanged());
  }

  private void finish(double[] all) {
    double count = all[all.length - 2];
    float[] slopes = new float[rule.directions()];
    double total = 0;
    for (int direction = 0; direction < slopes.length; direction++) {
      double plus = all[2 * direction];
      double minus = all[2 * direction + 1];
      slopes[direction] = (float) ((plus - minus) / count / (2 * rule.eps()));
      total += plus + minus;
    }
    boolean skipped = !Double.isFinite(total);
    if (skipped) {
      Arrays.fill(slopes, 0);
    }
    program.slopes().apply(skipped, slopes);
    float mean = (float) (total / (2 * slopes.length));
    float scale = skipped ? 0f : (float) (1 / count);
    done.addLast(new StepOutcome(mean, (float) count, scale, (float) all[all.length - 1], slopes));
  }

  /** Sums over all ranks, in rank order: the same bits on all of them. */
  private double[] exchanged() {
    long bytes = (long) sums.length * Double.BYTES;
    double[] all = new double[sums.length];
    try (Span own = Span.allocate(bytes);
        Span told = Span.allocate(bytes * data.worldSize())) {
      for (int i = 0; i < sums.length; i++) {
        own.buffer().putDouble(i * Double.BYTES, sums[i]);
      }
      data.allGather(own, told);
      for (int i = 0; i < sums.length * data.worldSize(); i++) {
        all[i % sums.length] += told.buffer().getDouble(i * Double.BYTES);
      }
    }
    return all;
  }

  /** At plus and at minus; NaN where a loss or a logit is not finite. */
  private double[] values(PointPass points, EncodedQuestion question, int direction) {
    if (objective.tokens() == 0) {
      return chosen(points, question, direction);
    }
    String right = answer(question);
    double[] values = new double[2];
    for (int point = 0; point < 2; point++) {
      values[point] =
          written(points, question, direction, point)
              .map(text -> objective.value(text, right))
              .orElse(Double.NaN);
    }
    return values;
  }

  private double[] chosen(PointPass points, EncodedQuestion question, int direction) {
    int count = question.choices().size();
    double[][] means = new double[2][count];
    for (int i = 0; i < count; i++) {
      Continuation choice = question.choices().get(i);
      double[] losses = points.losses(direction, choice.stream(), choice.from());
      means[0][i] = -losses[0] / choice.tokens();
      means[1][i] = -losses[1] / choice.tokens();
    }
    double[] values = new double[2];
    for (int point = 0; point < 2; point++) {
      boolean finite = Arrays.stream(means[point]).allMatch(Double::isFinite);
      values[point] = finite ? objective.value(question.answeredBy(means[point])) : Double.NaN;
    }
    return values;
  }

  private String answer(EncodedQuestion question) {
    Continuation right = question.right();
    return tokenizer.decode(
        Arrays.copyOfRange(right.stream(), right.from(), right.stream().length));
  }

  /**
   * Greedily, each token from a pass over all before it: two points have no cache to share. Nothing
   * where a logit is not finite: a broken point is no wrong answer, it skips the step.
   */
  private Optional<String> written(
      PointPass points, EncodedQuestion question, int direction, int point) {
    int prompt = question.right().from();
    int[] tokens = Arrays.copyOf(question.right().stream(), prompt + objective.tokens());
    int count = prompt;
    while (count < tokens.length) {
      int next = points.next(direction, tokens, count)[point];
      if (next == PointPass.NONE) {
        return Optional.empty();
      }
      if (tokenizer.ends().contains(next)) {
        break;
      }
      tokens[count++] = next;
    }
    return Optional.of(tokenizer.decode(Arrays.copyOfRange(tokens, prompt, count)));
  }

  /** Of the oldest step whose outcome was not asked for yet. */
  StepOutcome outcome() {
    return done.removeFirst();
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
