package dev.kindling.optim.outer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Stability, clips, staleness gap and what a payload holds. */
class OuterStepTest {
  private static final long SEED = Long.getLong("seed", 20260104L);
  private static final double[] START = Quadratics.start(SEED);
  private static final double LR = 0.2;

  private static Co2 clipped(double clip, Clip where) {
    return new Co2(4, 0.7, 0.2, 1, Penalty.CONSTANT, 1, clip, where, FirstRound.RESET);
  }

  private static Co2 late(double alpha, double beta, double lambda) {
    return new Co2(1, alpha, beta, 1, Penalty.CONSTANT, lambda, 0, Clip.STORED, FirstRound.RESET);
  }

  /** x_t+1 = x_t - lr h x_t-1, stable for lr h below 1; without the delay below 2. */
  @Test
  void aRoundOfOneStepThatIsLateHalvesTheRoomOfDescent() {
    double[] curvatures = new double[Replicas.ELEMENTS];
    Arrays.setAll(curvatures, e -> e % 2 == 0 ? 0.95 : 1.05);
    double[][] centres = new double[2][Replicas.ELEMENTS];
    Quadratics problem = new Quadratics(curvatures, centres);
    List<double[]> starts = new ArrayList<>();
    try (Replicas replicas = new Replicas(late(1, 0, 1), 2, START);
        Replicas blocking = new Replicas(new LocalSgd(1), 2, START)) {
      for (int t = 0; t < 300; t++) {
        starts.add(replicas.live(0));
        problem.round(replicas, 1, 1);
        replicas.boundary(t, FirstRound.RESET);
        problem.round(blocking, 1, 1);
        blocking.boundary(t, FirstRound.RESET);
      }
      for (int e = 0; e < curvatures.length; e++) {
        for (int t = 1; t < 9; t++) {
          double expected = starts.get(t)[e] - curvatures[e] * starts.get(t - 1)[e];
          assertThat(starts.get(t + 1)[e]).isCloseTo(expected, within(1e-5));
        }
        double ratio = Math.abs(replicas.live(1)[e] / START[e]);
        assertThat(ratio < 0.1).as("element %d of %s", e, ratio).isEqualTo(e % 2 == 0);
        assertThat(ratio > 10).isEqualTo(e % 2 == 1);
        assertThat(Math.abs(blocking.live(1)[e])).isLessThan(1e-6);
      }
    }
  }

  static Stream<OuterMethod> rates() {
    return Stream.of(
        late(1, 0, 1),
        late(1, 0.5, 1),
        late(1, 0.5, 2),
        new Slowmo(1, 1, 0.5),
        new Diloco(1, 1, 0.9, false),
        new Diloco(1, 1, 0.9, true),
        new EagerDiloco(1, 1, 0.6, false),
        new EagerDiloco(1, 1, 0.6, true),
        new Corrected(1, 1, 0.6, false),
        new Corrected(1, 1, 0.9, true));
  }

  private static OuterMethod at(OuterMethod method, double alpha) {
    if (method instanceof Co2 m) {
      return late(alpha, m.beta(), m.lambda());
    } else if (method instanceof Slowmo m) {
      return new Slowmo(1, alpha, m.beta());
    } else if (method instanceof Diloco m) {
      return new Diloco(1, alpha, m.beta(), m.nesterov());
    } else if (method instanceof EagerDiloco m) {
      return new EagerDiloco(1, alpha, m.beta(), m.nesterov());
    }
    Corrected m = (Corrected) method;
    return new Corrected(1, alpha, m.beta(), m.nesterov());
  }

  /** Rounds that exhaust their direction: a = 1; replicas end the first one a hundredth apart. */
  private static double left(OuterMethod method, int rounds) {
    try (Replicas replicas = new Replicas(method, 3, START)) {
      for (int t = 0; t < rounds; t++) {
        for (int i = 0; i < 3; i++) {
          double apart = t == 0 ? 0.01 * i : 0;
          replicas.write(
              i, p -> p.name(), Arrays.stream(START).map(start -> apart * start).toArray());
        }
        replicas.boundary(t, FirstRound.RESET);
      }
      return Math.abs(replicas.live(0)[3] / START[3]) + Math.abs(replicas.live(0)[4] / START[4]);
    }
  }

  @ParameterizedTest
  @MethodSource("rates")
  void theWarningBeginsWhereTheTrajectoryDiverges(OuterMethod method) {
    double bound = method.step().largestRate(3);
    OuterMethod below = at(method, 0.96 * bound);
    OuterMethod above = at(method, 1.04 * bound);
    assertThat(below.warnings(3)).isEmpty();
    assertThat(above.warnings(3)).hasSize(1);
    assertThat(left(below, 600)).as("%s", below).isLessThan(0.05);
    assertThat(left(above, 600)).as("%s", above).isGreaterThan(20);
  }

  @Test
  void boundsOfAHeavyBallAreThoseOfItsPolynomial() {
    for (double beta : new double[] {0, 0.2, 0.5, 0.9}) {
      assertThat(late(1, beta, 3).step().largestRate(4)).isCloseTo(3 * (1 - beta), within(1e-9));
      assertThat(new Slowmo(1, 1, beta).step().largestRate(4))
          .isCloseTo(2 * (1 + beta), within(1e-9));
      assertThat(new Corrected(1, 1, beta, false).step().largestRate(4))
          .isCloseTo(1 + beta, within(1e-9));
      assertThat(new Corrected(1, 1, beta, true).step().largestRate(4))
          .isCloseTo((1 + beta) / (1 + 2 * beta), within(1e-9));
      assertThat(new Corrected(1, 1, beta, false).step().largestRate(1))
          .isCloseTo(2 * (1 + beta), within(1e-9));
      assertThat(new Diloco(1, 1, beta, true).step().largestRate(4))
          .isCloseTo(2 * (1 + beta) / (1 + 2 * beta), within(1e-9));
      for (int replicas : new int[] {2, 4, 16}) {
        double eager = (1 - beta) / (1 - 1.0 / replicas);
        assertThat(new EagerDiloco(1, 1, beta, false).step().largestRate(replicas))
            .isCloseTo(eager, within(1e-9));
      }
    }
  }

  @Test
  void whatMayDivergeIsSaidWithItsBound() {
    assertThat(late(1, 0.2, 1).warnings(8))
        .containsExactly(
            "alpha: expected below 0.8000 for beta 0.2, lambda 1.0, a delay of one round and 8"
                + " replicas (0.7200 leaves a tenth of room), found 1.0: what a round of inner"
                + " steps exhausts diverges");
    assertThat(late(1, 0.2, 2).warnings(8)).isEmpty();
    assertThat(new Diloco(500, 0.7, 0.9, true).warnings(8)).isEmpty();
    assertThat(new EagerDiloco(500, 0.7, 0.9, true).warnings(8)).hasSize(1);
    assertThat(new Corrected(48, 0.7, 0.9, true).warnings(8)).hasSize(1);
    assertThat(new Corrected(48, 0.6, 0.9, true).warnings(8)).isEmpty();
    assertThat(new Slowmo(48, 1, 0.5).warnings(8)).isEmpty();
    assertThat(new LocalSgd(12).warnings(8)).isEmpty();
  }

  @Test
  void wrongNumbersAreRefusedTogether() {
    assertThatThrownBy(() -> new LocalSgd(0)).hasMessage("tau: expected 1 or more, found 0");
    assertThatThrownBy(() -> new Slowmo(0, 0, 1))
        .hasMessage(
            "tau: expected 1 or more, found 0\nalpha: expected a number above 0, found 0.0\n"
                + "beta: expected a number in [0, 1), found 1.0");
    assertThatThrownBy(() -> new Diloco(1, -1, 0, true)).hasMessageContaining("alpha:");
    assertThatThrownBy(() -> new EagerDiloco(1, 1, -0.1, true)).hasMessageContaining("beta:");
    assertThatThrownBy(() -> new Corrected(-1, 1, 0, true)).hasMessageContaining("tau:");
    assertThatThrownBy(
            () -> new Co2(0, 1, 0, 2, Penalty.CONSTANT, 0.5, -1, Clip.STORED, FirstRound.SYNC))
        .hasMessage(
            "tau: expected 1 or more, found 0\ndelay: expected 0 or 1 rounds, found 2\n"
                + "lambda: expected a number of 1 or more, found 0.5\n"
                + "clip: expected a number of 0 or more, found -1.0");
    assertThatThrownBy(
            () -> new Co2(9, 1, 0, 0, Penalty.RATIO_NORM, 2, 1, Clip.APPLIED, FirstRound.SYNC))
        .hasMessage(
            "penalty: expected CONSTANT without a delay, found RATIO_NORM\n"
                + "lambda: expected 1 for RATIO_NORM, found 2.0\n"
                + "clipped: expected STORED for RATIO_NORM, found APPLIED");
  }

  @ParameterizedTest
  @EnumSource(Clip.class)
  void noElementMovesFurtherThanTheClipAllows(Clip where) {
    Quadratics problem = Quadratics.of(3, SEED);
    double clip = 0.3;
    int bound = 0;
    try (Replicas replicas = new Replicas(clipped(clip, where), 3, START);
        Replicas free = new Replicas(clipped(0, where), 3, START);
        Replicas wide = new Replicas(clipped(3e38, where), 3, START)) {
      for (int t = 0; t < 15; t++) {
        double[] before = replicas.live(2);
        for (Replicas each : List.of(replicas, free, wide)) {
          problem.round(each, LR, 4);
          each.boundary(t, FirstRound.RESET);
        }
        double[] after = replicas.live(2);
        double[] momentum = replicas.read(2, OuterSentences::momentum);
        for (int e = 0; e < after.length; e++) {
          double moved = Math.abs(after[e] - before[e]);
          assertThat(moved).isLessThanOrEqualTo(0.7 * clip + 1e-6);
          bound += moved > 0.7 * clip - 1e-6 ? 1 : 0;
        }
        boolean stored = Arrays.stream(momentum).allMatch(m -> Math.abs(m) <= (float) clip);
        assertThat(stored || where == Clip.APPLIED).isTrue();
        assertThat(wide.live(0)).isEqualTo(free.live(0));
      }
      assertThat(bound).as("elements at the clip").isGreaterThan(10);
      assertThat(replicas.live(0)).isNotEqualTo(free.live(0));
    }
  }

  @Test
  void whereItIsClippedMatters() {
    List<double[]> ends = new ArrayList<>();
    Quadratics problem = Quadratics.of(2, SEED);
    for (Clip where : Clip.values()) {
      try (Replicas replicas = new Replicas(clipped(0.3, where), 2, START)) {
        for (int t = 0; t < 8; t++) {
          problem.round(replicas, LR, 4);
          replicas.boundary(t, FirstRound.RESET);
        }
        ends.add(replicas.live(0));
      }
    }
    assertThat(ends.get(0)).isNotEqualTo(ends.get(1));
  }

  private record Gaps(List<double[]> gains, List<double[]> expected) {}

  /** With a beta of 0 the momentum is what arrived times the gain: by tensor. */
  private static Gaps gaps(Penalty penalty, double scale) {
    Co2 method = new Co2(4, 0.8, 0, 1, penalty, 1, 0, Clip.STORED, FirstRound.RESET);
    Quadratics plain = Quadratics.of(3, SEED);
    double[][] centres = new double[3][];
    Arrays.setAll(centres, i -> scaled(plain.centres()[i], scale));
    Quadratics problem = new Quadratics(plain.curvatures(), centres);
    Gaps gaps = new Gaps(new ArrayList<>(), new ArrayList<>());
    double[] last = scaled(START, scale);
    try (Replicas replicas = new Replicas(method, 3, last)) {
      for (int t = 0; t < 8; t++) {
        double[] x = replicas.live(0);
        double[] arrived = replicas.read(0, OuterSentences::payload);
        problem.round(replicas, LR, 4);
        replicas.boundary(t, FirstRound.RESET);
        if (t > 0) {
          double[] momentum = replicas.read(0, OuterSentences::momentum);
          assertThat(replicas.read(2, OuterSentences::momentum)).isEqualTo(momentum);
          gaps.gains().add(new double[] {momentum[7] / arrived[7], momentum[30] / arrived[30]});
          gaps.expected().add(expected(penalty, problem, last, x));
        }
        last = x;
      }
    }
    return gaps;
  }

  private static double[] expected(Penalty penalty, Quadratics problem, double[] last, double[] x) {
    int matrix = 20;
    int end = Replicas.ELEMENTS;
    boolean norm = penalty == Penalty.RATIO_NORM;
    return new double[] {
      gain(problem, last, x, 0, norm ? end : matrix), gain(problem, last, x, norm ? 0 : matrix, end)
    };
  }

  private static double gain(Quadratics problem, double[] last, double[] x, int from, int to) {
    double moved = 0;
    double first = 0;
    for (int e = from; e < to; e++) {
      moved += Math.pow(x[e] - last[e], 2);
      for (int i = 0; i < 3; i++) {
        first += Math.pow(LR * problem.gradient(i, last)[e], 2) / 3;
      }
    }
    return 1 / (1 + Math.sqrt(moved) / (4 * Math.sqrt(first)));
  }

  private static double[] scaled(double[] values, double factor) {
    return Arrays.stream(values).map(x -> factor * x).toArray();
  }

  @ParameterizedTest
  @EnumSource(names = {"RATIO_NORM", "RATIO_TENSOR"})
  void theGapIsAtLeastOneAndOfNoUnit(Penalty penalty) {
    Gaps gaps = gaps(penalty, 1);
    Gaps large = gaps(penalty, 1000);
    assertThat(gaps.gains().get(0)).as("nothing has moved before round 1").containsExactly(1, 1);
    for (int t = 0; t < gaps.gains().size(); t++) {
      double[] gains = gaps.gains().get(t);
      assertThat(gains).containsExactly(gaps.expected().get(t), within(1e-4));
      assertThat(large.gains().get(t)).containsExactly(gains, within(1e-4));
      assertThat(gains[0]).isGreaterThan(0).isLessThanOrEqualTo(1 + 1e-6);
      if (t > 0) {
        assertThat(gains[0]).isLessThan(0.95);
        boolean equal = Math.abs(gains[0] - gains[1]) < 1e-5;
        assertThat(equal).isEqualTo(penalty == Penalty.RATIO_NORM);
      }
    }
  }

  /** A learning rate of 0, as a warm-up begins, displaces nothing and penalizes nothing. */
  @Test
  void aFirstStepOfLengthZeroLeavesTheGapAtOne() {
    Co2 method = new Co2(4, 1, 0.5, 1, Penalty.RATIO_NORM, 1, 0, Clip.STORED, FirstRound.RESET);
    Quadratics problem = Quadratics.of(2, SEED);
    try (Replicas replicas = new Replicas(method, 2, START)) {
      for (double lr : new double[] {0, 0, LR, LR}) {
        problem.round(replicas, lr, 4);
        replicas.boundary(1, FirstRound.RESET);
      }
      assertThat(replicas.live(0)).doesNotContain(Double.NaN).isNotEqualTo(START);
    }
  }

  static Stream<OuterMethod> late() {
    return Stream.of(
        late(0.7, 0.2, 1), new EagerDiloco(4, 0.7, 0.5, true), new Corrected(4, 0.7, 0.5, true));
  }

  @ParameterizedTest
  @MethodSource("late")
  void whatDepartsIsASnapshot(OuterMethod method) {
    Quadratics problem = Quadratics.of(2, SEED);
    try (Replicas replicas = new Replicas(method, 2, START)) {
      for (int t = 0; t < 3; t++) {
        double[] anchor = replicas.read(1, OuterSentences::anchor);
        problem.round(replicas, LR, 4);
        double[] live = replicas.live(1);
        replicas.exchange();
        assertThat(replicas.live(1)).isEqualTo(replicas.read(1, OuterSentences::anchor));
        replicas.write(1, p -> p.name(), new double[Replicas.ELEMENTS]);
        double[] payload = replicas.read(1, OuterSentences::payload);
        for (int e = 0; e < live.length; e++) {
          assertThat((float) payload[e]).isEqualTo((float) anchor[e] - (float) live[e]);
        }
        replicas.write(1, p -> p.name(), replicas.read(1, OuterSentences::anchor));
        replicas.mean();
      }
    }
  }

  @Test
  void aBlockingMethodHasNoExchange() {
    OuterSentences sentences = new OuterSentences(new LocalSgd(4).step(), Replicas.PARAMS);
    assertThatThrownBy(() -> sentences.exchange(new GraphBuilder()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("expected a method with a delay, found OuterStep[late=false");
  }

  @Test
  void defaultsAreThePublishedOnes() {
    Map<String, Object> nesterov = Map.of("tau", 500, "alpha", 0.7, "beta", 0.9, "nesterov", true);
    assertThat(LocalSgd.defaults()).isEqualTo(Map.of("tau", 12));
    assertThat(Slowmo.defaults()).isEqualTo(Map.of("tau", 48, "alpha", 1.0, "beta", 0.5));
    assertThat(Diloco.defaults()).isEqualTo(nesterov);
    assertThat(EagerDiloco.defaults()).isEqualTo(nesterov);
    assertThat(Corrected.defaults()).containsEntry("alpha", 0.6).containsEntry("beta", 0.9);
    assertThat(Co2.defaults())
        .hasSize(9)
        .containsEntry("alpha", 1.0)
        .containsEntry("beta", 0.2)
        .containsEntry("penalty", Penalty.CONSTANT)
        .containsEntry("clip", 0.0)
        .containsEntry("first", FirstRound.SYNC);
  }

  /**
   * 12 bytes an element; 4 more where replicas differ; a float of a ratio beside and in the
   * payload.
   */
  @Test
  void stateIsThreeArraysAndAFourthWhereReplicasDiffer() {
    long told = (RoundScalar.values().length + 1) * (long) Float.BYTES;
    assertThat(stateBytes(late(0.7, 0.2, 1))).isEqualTo(12L * Replicas.ELEMENTS + told);
    assertThat(stateBytes(new LocalSgd(3))).isEqualTo(12L * Replicas.ELEMENTS + told);
    assertThat(stateBytes(new Corrected(4, 1, 0, false))).isEqualTo(16L * Replicas.ELEMENTS + told);
    Co2 ratio = new Co2(4, 1, 0, 1, Penalty.RATIO_TENSOR, 1, 0, Clip.STORED, FirstRound.SYNC);
    assertThat(stateBytes(ratio)).isEqualTo(12L * Replicas.ELEMENTS + 2 * 2 * Float.BYTES + told);
  }

  private static long stateBytes(OuterMethod method) {
    GraphBuilder b = new GraphBuilder();
    new OuterSentences(method.step(), Replicas.PARAMS).depart(b);
    return b.build().variables().stream()
        .filter(variable -> variable.role() == Role.STATE || variable.role() == Role.PAYLOAD)
        .mapToLong(variable -> variable.type().bytes())
        .sum();
  }
}
