package dev.kindling.optim.outer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Trajectories on quadratics against fp64 references and against each other. */
class OuterMethodTest {
  private static final long SEED = Long.getLong("seed", 20260103L);
  private static final double[] START = Quadratics.start(SEED);
  private static final double LR = 0.2;
  private static final int ROUNDS = 12;

  /** fp32: a rounding or so of numbers of size 2 for each of some tens of operations. */
  private static final double FP32 = 1e-5;

  static Co2 co2(int steps, double alpha, double beta, int delay, FirstRound first) {
    return new Co2(steps, alpha, beta, delay, Penalty.CONSTANT, 1, 0, Clip.STORED, first);
  }

  /** Starts of rounds 0 to {@code rounds} of every replica. */
  private static List<double[][]> run(OuterMethod method, Quadratics problem, double[] lrs) {
    int count = problem.centres().length;
    FirstRound first = method instanceof Co2 co2 ? co2.first() : FirstRound.RESET;
    List<double[][]> starts = new ArrayList<>();
    try (Replicas replicas = new Replicas(method, count, START)) {
      starts.add(lives(replicas));
      for (int t = 0; t < lrs.length; t++) {
        problem.round(replicas, lrs[t], method.tau());
        replicas.scalars(lrs[t], method.tau());
        replicas.boundary(t, first);
        starts.add(lives(replicas));
      }
    }
    return starts;
  }

  private static double[][] lives(Replicas replicas) {
    double[][] lives = new double[replicas.count()][];
    for (int i = 0; i < lives.length; i++) {
      lives[i] = replicas.live(i);
    }
    return lives;
  }

  private static double[] constant() {
    double[] lrs = new double[ROUNDS];
    Arrays.fill(lrs, LR);
    return lrs;
  }

  private static void follows(List<double[][]> found, OuterReference reference) {
    assertThat(found).hasSameSizeAs(reference.starts);
    for (int t = 0; t < found.size(); t++) {
      for (double[] replica : found.get(t)) {
        assertThat(replica).as("round %d", t).isEqualTo(found.get(t)[0]);
        assertThat(replica)
            .as("round %d, seed %d", t, SEED)
            .containsExactly(reference.starts.get(t), within(FP32));
      }
    }
  }

  @Test
  void withoutDelayAndOfOneStepItIsDescentAlongTheMeanGradient() {
    Quadratics problem = Quadratics.of(3, SEED);
    double[] x = START.clone();
    List<double[][]> found = run(co2(1, 1, 0, 0, FirstRound.SYNC), problem, constant());
    List<double[][]> local = run(new LocalSgd(1), problem, constant());
    for (int t = 1; t <= ROUNDS; t++) {
      double[][] gradients = new double[3][];
      for (int i = 0; i < 3; i++) {
        gradients[i] = problem.gradient(i, x);
      }
      double[] mean = OuterReference.mean(gradients);
      for (int e = 0; e < x.length; e++) {
        x[e] -= LR * mean[e];
      }
      assertThat(found.get(t)[2]).as("round %d", t).containsExactly(x, within(FP32));
      assertThat(local.get(t)).isDeepEqualTo(found.get(t));
    }
  }

  @Test
  void localSgdAveragesTheWeights() {
    Quadratics problem = Quadratics.of(4, SEED);
    OuterReference reference = new OuterReference(problem, 6).localSgd(START, LR, ROUNDS);
    follows(run(new LocalSgd(6), problem, constant()), reference);
    follows(run(co2(6, 1, 0, 0, FirstRound.SYNC), problem, constant()), reference);
  }

  @Test
  void slowMoFollowsItsAlgorithmWhateverTheSchedule() {
    Quadratics problem = Quadratics.of(4, SEED);
    double[] decaying = constant();
    for (int t = 0; t < decaying.length; t++) {
      decaying[t] /= 1 + 0.3 * t;
    }
    Slowmo method = new Slowmo(6, 0.9, 0.5);
    follows(
        run(method, problem, decaying),
        new OuterReference(problem, 6).slowMo(START, decaying, 0.9, 0.5));
    OuterReference constant = new OuterReference(problem, 6).slowMo(START, constant(), 0.9, 0.5);
    follows(run(method, problem, constant()), constant);
    // What the published code of CO2 does is SlowMo only while the learning rate is constant.
    Co2 published = co2(6, 0.9, 0.5, 0, FirstRound.SYNC);
    follows(run(published, problem, constant()), constant);
    double[] other = run(published, problem, decaying).get(ROUNDS)[0];
    double[] slow = run(method, problem, decaying).get(ROUNDS)[0];
    assertThat(distance(other, slow)).isGreaterThan(100 * FP32);
  }

  @Test
  void aWarmUpFromZeroLeavesSlowMoWhereItIs() {
    Quadratics problem = Quadratics.of(2, SEED);
    List<double[][]> found = run(new Slowmo(3, 1, 0.5), problem, new double[] {0, LR, 0, LR});
    assertThat(found.get(1)[0]).isEqualTo(START);
    assertThat(found.get(2)[0]).isNotEqualTo(START);
    assertThat(found.get(3)[0]).isEqualTo(found.get(2)[0]);
    assertThat(found.get(4)[0]).doesNotContain(Double.NaN).isNotEqualTo(found.get(3)[0]);
  }

  @Test
  void oneReplicaWithoutMomentumIsLookahead() {
    Quadratics problem = Quadratics.of(1, SEED);
    List<double[][]> found = run(new Slowmo(5, 0.5, 0), problem, constant());
    double[] slow = START.clone();
    for (int t = 0; t < ROUNDS; t++) {
      double[] fast = problem.descended(0, slow, LR, 5);
      for (int e = 0; e < slow.length; e++) {
        slow[e] += 0.5 * (fast[e] - slow[e]);
      }
      assertThat(found.get(t + 1)[0]).containsExactly(slow, within(FP32));
    }
  }

  @Test
  void diLoCoIsNesterovOverTheMeanDisplacement() {
    Quadratics problem = Quadratics.of(4, SEED);
    follows(
        run(new Diloco(6, 0.7, 0.9, true), problem, constant()),
        new OuterReference(problem, 6).diLoCo(START, LR, ROUNDS, 0.7, 0.9));
    assertThat(run(new Diloco(6, 0.7, 0.4, false), problem, constant()))
        .usingElementComparator((a, b) -> Arrays.deepEquals(a, b) ? 0 : 1)
        .isEqualTo(run(co2(6, 0.7, 0.4, 0, FirstRound.SYNC), problem, constant()));
  }

  @ParameterizedTest
  @EnumSource(FirstRound.class)
  void co2AppliesTheMeanOfTheRoundBefore(FirstRound first) {
    Quadratics problem = Quadratics.of(4, SEED);
    Co2 method = co2(6, 0.6, 0.3, 1, first);
    List<double[][]> found = run(method, problem, constant());
    follows(found, new OuterReference(problem, 6).co2(START, LR, ROUNDS, method));
    assertThat(Arrays.equals(found.get(1)[0], START)).isEqualTo(first == FirstRound.RESET);
    Co2 halved = new Co2(6, 0.6, 0.3, 1, Penalty.CONSTANT, 2, 0, Clip.STORED, first);
    follows(
        run(halved, problem, constant()),
        new OuterReference(problem, 6).co2(START, LR, ROUNDS, halved));
  }

  @ParameterizedTest
  @EnumSource(FirstRound.class)
  void theRatioOfNormsIsThatOfTheIterates(FirstRound first) {
    Quadratics problem = Quadratics.of(4, SEED);
    Co2 method = new Co2(6, 0.8, 0.3, 1, Penalty.RATIO_NORM, 1, 0, Clip.STORED, first);
    OuterReference reference = new OuterReference(problem, 6).co2(START, LR, ROUNDS, method);
    follows(run(method, problem, constant()), reference);
    Co2 without = co2(6, 0.8, 0.3, 1, first);
    double[] other = run(without, problem, constant()).get(ROUNDS)[0];
    assertThat(distance(other, reference.starts.get(ROUNDS))).isGreaterThan(100 * FP32);
  }

  @Test
  void theLastRoundReachesTheWeightsByArriving() {
    Quadratics problem = Quadratics.of(3, SEED);
    Co2 method = co2(4, 0.6, 0.3, 1, FirstRound.RESET);
    try (Replicas replicas = new Replicas(method, 3, START)) {
      for (int t = 0; t < 5; t++) {
        problem.round(replicas, LR, 4);
        replicas.boundary(t, FirstRound.RESET);
      }
      replicas.arrive();
      OuterReference reference = new OuterReference(problem, 4).co2(START, LR, 6, method);
      assertThat(replicas.live(1)).containsExactly(reference.starts.get(6), within(FP32));
      assertThat(replicas.live(1)).isEqualTo(replicas.live(2));
    }
  }

  @Test
  void theMeanOfCorrectedReplicasFollowsTheBlockingMethod() {
    Quadratics problem = Quadratics.of(4, SEED);
    OuterReference blocking = new OuterReference(problem, 6).diLoCo(START, LR, ROUNDS, 0.7, 0.6);
    List<double[][]> exact = new OuterReference(problem, 6).own(START, LR, ROUNDS, 1, 0.7, 0.6);
    List<double[][]> found = run(new Corrected(6, 0.7, 0.6, true), problem, constant());
    for (int t = 1; t <= ROUNDS; t++) {
      double[] expected = blocking.starts.get(t);
      assertThat(OuterReference.mean(exact.get(t - 1))).containsExactly(expected, within(1e-12));
      assertThat(OuterReference.mean(found.get(t))).containsExactly(expected, within(FP32));
      for (int i = 0; i < 4; i++) {
        assertThat(found.get(t)[i]).containsExactly(exact.get(t - 1)[i], within(FP32));
      }
      assertThat(distance(found.get(t)[0], found.get(t)[1])).isGreaterThan(0.05);
    }
  }

  @Test
  void correctedWithoutMomentumKeepsLocalProgress() {
    Quadratics problem = Quadratics.of(3, SEED);
    List<double[][]> found = run(new Corrected(6, 1, 0, false), problem, constant());
    double[][] x = {START.clone(), START.clone(), START.clone()};
    double[] meanStart = START.clone();
    for (int t = 0; t < ROUNDS; t++) {
      // CoCoD-SGD: the mean of the starts plus one's own progress.
      double[][] next = new double[3][START.length];
      for (int i = 0; i < 3; i++) {
        double[] end = problem.descended(i, x[i], LR, 6);
        for (int e = 0; e < START.length; e++) {
          next[i][e] = meanStart[e] + end[e] - x[i][e];
        }
        assertThat(found.get(t + 1)[i]).containsExactly(next[i], within(FP32));
      }
      x = next;
      meanStart = OuterReference.mean(next);
    }
  }

  @Test
  void eagerReplicasApplyTheirShareAtOnce() {
    Quadratics problem = Quadratics.of(4, SEED);
    List<double[][]> exact = new OuterReference(problem, 6).own(START, LR, ROUNDS, 0.25, 0.4, 0.5);
    List<double[][]> found = run(new EagerDiloco(6, 0.4, 0.5, true), problem, constant());
    for (int t = 1; t <= ROUNDS; t++) {
      for (int i = 0; i < 4; i++) {
        assertThat(found.get(t)[i]).containsExactly(exact.get(t - 1)[i], within(FP32));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void oneReplicaKnowsEverythingOfItself(boolean nesterov) {
    Quadratics problem = Quadratics.of(1, SEED);
    List<double[][]> blocking = run(new Diloco(6, 0.7, 0.9, nesterov), problem, constant());
    List<double[][]> eager = run(new EagerDiloco(6, 0.7, 0.9, nesterov), problem, constant());
    List<double[][]> corrected = run(new Corrected(6, 0.7, 0.9, nesterov), problem, constant());
    for (int t = 0; t <= ROUNDS; t++) {
      assertThat(eager.get(t)).isDeepEqualTo(blocking.get(t));
      assertThat(corrected.get(t)).isDeepEqualTo(blocking.get(t));
    }
  }

  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int e = 0; e < a.length; e++) {
      sum += (a[e] - b[e]) * (a[e] - b[e]);
    }
    return Math.sqrt(sum);
  }

  /** As after a reduction that was aborted: the momentum decays, and nobody falls apart. */
  @Test
  void aRoundThatIsLostIsADisplacementOfZero() {
    Quadratics problem = Quadratics.of(3, SEED);
    Co2 method = co2(4, 0.6, 0.3, 1, FirstRound.RESET);
    try (Replicas replicas = new Replicas(method, 3, START)) {
      for (int t = 0; t < 3; t++) {
        problem.round(replicas, LR, 4);
        replicas.boundary(t, FirstRound.RESET);
      }
      double[] momentum = replicas.read(0, OuterSentences::momentum);
      for (int i = 0; i < 3; i++) {
        replicas.write(i, OuterSentences::payload, new double[START.length]);
      }
      double[] x = replicas.live(0);
      problem.round(replicas, LR, 4);
      replicas.boundary(3, FirstRound.RESET);
      for (int e = 0; e < x.length; e++) {
        assertThat(replicas.live(0)[e]).isCloseTo(x[e] - 0.6 * 0.3 * momentum[e], within(FP32));
      }
      assertThat(replicas.live(1)).isEqualTo(replicas.live(0));
    }
  }

  /** The mean of |D_i|^2 less |mean D|^2 is how far replicas are from their mean. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatTravelsBehindTheDisplacementsArrivesWithThem(boolean late) {
    Quadratics problem = Quadratics.of(2, SEED);
    OuterMethod method = late ? co2(4, 0.6, 0.3, 1, FirstRound.RESET) : new LocalSgd(4);
    try (Replicas replicas = new Replicas(method, 2, START)) {
      problem.round(replicas, LR, 4);
      double[] a = replicas.live(0);
      double[] b = replicas.live(1);
      replicas.tell(6f, 3f, 1f);
      replicas.boundary(0, FirstRound.RESET);
      replicas.tell(0f, 0f, 0f);
      if (late) {
        replicas.boundary(1, FirstRound.RESET);
      }
      double squares = 0;
      for (int e = 0; e < a.length; e++) {
        squares += (a[e] - b[e]) * (a[e] - b[e]) / 4;
      }
      double norm = replicas.output(1, OuterSentences.MEAN_NORM);
      double found = replicas.output(1, OuterSentences.MOVED) - norm * norm;
      assertThat(replicas.output(1, OuterSentences.TOLD)).isEqualTo(6);
      assertThat(found).isCloseTo(squares, within(FP32 * squares));
      assertThat(replicas.output(1, OuterSentences.USED_GAIN)).isEqualTo(1);
    }
  }

  @Test
  void replicasThatDifferSettleOnTheirMean() {
    Quadratics problem = Quadratics.of(3, SEED);
    try (Replicas replicas = new Replicas(new Corrected(6, 0.7, 0.6, true), 3, START)) {
      for (int t = 0; t < 4; t++) {
        problem.round(replicas, LR, 6);
        replicas.boundary(t, FirstRound.RESET);
      }
      replicas.show();
      replicas.mean();
      replicas.settle();
      OuterReference blocking = new OuterReference(problem, 6).diLoCo(START, LR, 4, 0.7, 0.6);
      assertThat(replicas.live(0)).containsExactly(blocking.starts.get(4), within(FP32));
      assertThat(replicas.live(2)).isEqualTo(replicas.live(0));
      assertThat(replicas.read(1, OuterSentences::anchor)).isEqualTo(replicas.live(0));
    }
  }
}
