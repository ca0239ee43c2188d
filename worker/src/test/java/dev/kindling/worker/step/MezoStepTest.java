package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** Zeroth-order steps of a tiny model on the CPU. */
class MezoStepTest {
  private static final double LR = 1e-3;
  private static final Mezo PLAIN = new Mezo(LR, 1e-2, 1, 0, 0, true);
  private static final Mezo ROUNDED = new Mezo(LR, 1e-3, 1, 0.1, 0, false);

  /** Trains what the predicate names and freezes the rest. */
  private record Partly(Predicate<String> trained, Demand demand) implements Projection {
    @Override
    public Value project(GraphBuilder b, Weight weight, Value x) {
      return b.linear(x, read(b, weight.matrix()));
    }

    @Override
    public Value read(GraphBuilder b, Param p) {
      Demand own = trained.test(p.name()) ? demand : Demand.none();
      return b.param(new Param(p.name(), p.shape(), own, p.init(), p.decay()));
    }
  }

  static MezoStep step(Mezo rule, int sequences, int localShards, int ranks) {
    StepGraphs same = StepRank.graphs(16, new Sgd(1, 0, false, 0, 0), sequences, localShards);
    return new MezoStep(same.model(), new Full(), rule, same.shape(), ranks, StepRank.SEED);
  }

  private static MezoStep partly(Mezo rule, Predicate<String> trained, Demand demand) {
    MezoStep whole = step(rule, 8, 1, 1);
    return new MezoStep(
        whole.model(), new Partly(trained, demand), rule, whole.shape(), 1, StepRank.SEED);
  }

  static StepRank rank(MezoStep step) {
    StepRank rank = new StepRank(step, LoopbackCommunicator.create(1).get(0));
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  static float[] normals(String name, int count, int step, int direction) {
    float[] all = new float[(count + 7) / 8 * 8];
    float[] z = new float[8];
    for (int block = 0; block < all.length / 8; block++) {
      HalfwordNormal.block(
          new int[4], HalfwordNormal.key(StepRank.SEED, name), block, step, direction, z);
      System.arraycopy(z, 0, all, 8 * block, 8);
    }
    return Arrays.copyOf(all, count);
  }

  /** Adds a multiple of z to every parameter, as the host can. */
  private static void shift(StepRank rank, double factor, int step, int direction) {
    for (Param param : rank.program().params()) {
      Span span = rank.program().memory().span(param.name());
      float[] z = normals(param.name(), (int) param.shape().elements(), step, direction);
      for (int i = 0; i < z.length; i++) {
        span.putFloat(i, (float) (span.getFloat(i) + factor * z[i]));
      }
    }
  }

  static double meanLoss(StepRank rank) {
    rank.write(0);
    StepOutcome outcome = rank.program().evaluate();
    return (double) outcome.lossSum() / outcome.tokenCount();
  }

  @Test
  void slopesAndUpdatesFollowTheFormulaForEveryDirection() {
    Mezo rule = new Mezo(LR, 1e-2, 3, 0.1, 0, true);
    try (StepRank rank = rank(step(rule, 8, 1, 1));
        StepRank twin = rank(step(rule, 8, 1, 1))) {
      float[] before = rank.weights();
      double total = 0;
      double[] slopes = new double[3];
      for (int direction = 0; direction < 3; direction++) {
        shift(twin, 1e-2, 1, direction);
        double plus = meanLoss(twin);
        twin.fill();
        shift(twin, -1e-2, 1, direction);
        double minus = meanLoss(twin);
        twin.fill();
        slopes[direction] = (plus - minus) / 2e-2;
        total += plus + minus;
      }
      StepOutcome outcome = rank.step(0, 8);
      assertThat(outcome.directions()).isEqualTo(3);
      assertThat(outcome.loss()).isCloseTo((float) (total / 6), within(1e-5f));
      assertThat(outcome.tokenCount()).isEqualTo(8 * StepRank.SEQUENCE);
      for (int direction = 0; direction < 3; direction++) {
        assertThat((double) outcome.projected(direction))
            .isCloseTo(slopes[direction], within(1e-4));
      }
      for (Param param : rank.program().params()) {
        Span now = rank.program().memory().span(param.name());
        Span was = twin.program().memory().span(param.name());
        for (int i = 0; i < param.shape().elements(); i++) {
          double change = (param.decay() ? 0.1 : 0) * was.getFloat(i);
          for (int direction = 0; direction < 3; direction++) {
            float z = normals(param.name(), i + 1, 1, direction)[i];
            change += outcome.projected(direction) * z / 3;
          }
          double expected = was.getFloat(i) - LR * change;
          assertThat((double) now.getFloat(i)).isCloseTo(expected, within(2e-7));
        }
      }
      assertThat(before).isNotEqualTo(rank.weights());
    }
  }

  /** The slope along z is z times the gradient that reverse mode gives. */
  @Test
  void slopesAreThoseOfTheGradient() {
    StepGraphs backprop = StepRank.graphs(16, new Sgd(1, 0, false, 0, 0), 8, 1);
    try (StepRank gradients = new StepRank(backprop, LoopbackCommunicator.create(1).get(0));
        StepRank rank = rank(step(new Mezo(1e-9, 1e-3, 8, 0, 0, true), 8, 1, 1))) {
      gradients.fill();
      gradients.step(0, 8);
      StepOutcome outcome = rank.step(0, 8);
      rank.fill();
      for (int direction = 0; direction < 8; direction++) {
        double slope = 0;
        for (Param param : rank.program().params()) {
          Span was = rank.program().memory().span(param.name());
          Span now = gradients.program().memory().span(param.name());
          float[] z = normals(param.name(), (int) param.shape().elements(), 1, direction);
          for (int i = 0; i < z.length; i++) {
            slope += z[i] * ((double) was.getFloat(i) - now.getFloat(i));
          }
        }
        assertThat((double) outcome.projected(direction))
            .as("direction %d", direction)
            .isCloseTo(slope, within(0.02 + 0.02 * Math.abs(slope)));
      }
    }
  }

  /** E g z = gradient, and its squared error over n directions is (d + 1) / n of the gradient's. */
  @Test
  void theMeanOverManyDirectionsIsTheGradient() {
    StepGraphs backprop = StepRank.graphs(16, new Sgd(1, 0, false, 0, 0), 8, 1);
    int steps = 16;
    int n = 32 * steps;
    Predicate<String> few = name -> name.contains("q_proj") || name.contains("norm");
    Mezo rule = new Mezo(1, 1e-3, 32, 0, 0, true);
    double[] estimate = new double[StepRank.VOCABULARY * 512];
    try (StepRank gradients = new StepRank(backprop, LoopbackCommunicator.create(1).get(0));
        StepRank fresh = rank(step(PLAIN, 8, 1, 1));
        StepRank rank = rank(partly(rule, few, Demand.whole()))) {
      gradients.fill();
      gradients.step(0, 8);
      for (int step = 0; step < steps; step++) {
        rank.fill();
        rank.step(0, 8);
        int at = 0;
        for (double change : changes(rank, fresh, few)) {
          estimate[at++] -= change / steps;
        }
      }
      List<Double> gradient = changes(gradients, fresh, few);
      double error = 0;
      double square = 0;
      double product = 0;
      double length = 0;
      for (int i = 0; i < gradient.size(); i++) {
        double expected = -gradient.get(i);
        error += (expected - estimate[i]) * (expected - estimate[i]);
        square += expected * expected;
        product += expected * estimate[i];
        length += estimate[i] * estimate[i];
      }
      assertThat(product / Math.sqrt(square * length)).isGreaterThan(0.7);
      assertThat(error / square / ((gradient.size() + 1.0) / n)).isCloseTo(1, within(0.35));
    }
  }

  /** Elements of the named parameters, less their first values. */
  private static List<Double> changes(StepRank rank, StepRank fresh, Predicate<String> names) {
    List<Double> changes = new ArrayList<>();
    for (Param param : fresh.program().params()) {
      Span now = rank.program().memory().span(param.name());
      Span was = fresh.program().memory().span(param.name());
      for (int i = 0; names.test(param.name()) && i < param.shape().elements(); i++) {
        changes.add((double) now.getFloat(i) - was.getFloat(i));
      }
    }
    return changes;
  }

  @Test
  void microBatchesAndLogicalShardsGiveTheBitsOfOneLargeBatch() {
    try (StepRank whole = rank(step(ROUNDED, 8, 1, 1));
        StepRank parts = rank(step(ROUNDED, 2, 1, 1));
        StepRank shards = rank(step(ROUNDED, 1, 8, 1))) {
      for (int step = 0; step < 5; step++) {
        StepOutcome outcome = whole.step(8 * step, 8);
        assertThat(parts.step(8 * step, 8)).isEqualTo(outcome);
        assertThat(shards.step(8 * step, 8)).isEqualTo(outcome);
      }
      assertThat(parts.bits(Role.PARAMETER)).isEqualTo(whole.bits(Role.PARAMETER));
      assertThat(shards.bits(Role.PARAMETER)).isEqualTo(whole.bits(Role.PARAMETER));
    }
  }

  @Test
  void ranksGiveTheBitsOfOneRankAndExchange24BytesAStep() throws Exception {
    try (StepRank whole = rank(step(ROUNDED, 8, 1, 1))) {
      List<StepOutcome> alone = new ArrayList<>();
      for (int step = 0; step < 4; step++) {
        alone.add(whole.step(8 * step, 8));
      }
      for (int ranks : new int[] {2, 4}) {
        ExecutorService threads = Executors.newFixedThreadPool(ranks);
        List<StepRank> world = new ArrayList<>();
        List<Future<List<StepOutcome>>> done = new ArrayList<>();
        try {
          List<? extends Communicator> communicators = LoopbackCommunicator.create(ranks);
          for (Communicator data : communicators) {
            world.add(new StepRank(step(ROUNDED, 8 / ranks, 1, ranks), data));
          }
          for (int r = 0; r < ranks; r++) {
            StepRank own = world.get(r);
            int offset = r * 8 / ranks;
            int count = 8 / ranks;
            done.add(threads.submit(() -> steps(own, offset, count)));
          }
          for (int r = 0; r < ranks; r++) {
            assertThat(done.get(r).get()).isEqualTo(alone);
            assertThat(world.get(r).bits(Role.PARAMETER)).isEqualTo(whole.bits(Role.PARAMETER));
          }
          StepStages stages = StepStages.of(step(ROUNDED, 8 / ranks, 1, ranks), 1);
          assertThat(stages.traffic()).hasSize(1);
          assertThat(stages.traffic().get(0).collective()).isEqualTo("AllGather");
          assertThat(stages.traffic().get(0).bytes()).isEqualTo(24);
        } finally {
          threads.shutdownNow();
          world.forEach(StepRank::close);
        }
      }
    }
  }

  private static List<StepOutcome> steps(StepRank rank, int offset, int count) {
    rank.program().dryRun();
    rank.fill();
    List<StepOutcome> outcomes = new ArrayList<>();
    for (int step = 0; step < 4; step++) {
      outcomes.add(rank.step(8 * step + offset, count));
    }
    return outcomes;
  }

  /** A rate that rounds every update away: nothing of a perturbation is left either. */
  @Test
  void withoutARateEveryBitStays() {
    try (StepRank rank = rank(step(new Mezo(1e-38, 1e-3, 2, 0, 0, true), 8, 1, 1))) {
      int[] before = rank.bits(Role.PARAMETER);
      for (int step = 0; step < 3; step++) {
        assertThat(rank.step(0, 8).skipped()).isFalse();
      }
      assertThat(rank.bits(Role.PARAMETER)).isEqualTo(before);
      assertThat(rank.program().state()).isEmpty();
    }
  }

  @Test
  void aLossThatIsNotFiniteSkipsTheStepAndTheNextOneGoesOn() {
    try (StepRank hurt = rank(step(ROUNDED, 4, 1, 1));
        StepRank twin = rank(step(ROUNDED, 4, 1, 1))) {
      Span gain = hurt.program().memory().span("model.norm.weight");
      float kept = gain.getFloat(3);
      gain.putFloat(3, Float.NaN);
      int[] before = hurt.bits(Role.PARAMETER);
      StepOutcome outcome = hurt.step(0, 8);
      hurt.takeBackUpdate();
      assertThat(outcome.skipped()).isTrue();
      assertThat(outcome.loss()).isNaN();
      assertThat(outcome.projected(0)).isZero();
      assertThat(hurt.bits(Role.PARAMETER)).isEqualTo(before);
      gain.putFloat(3, kept);
      assertThat(hurt.step(8, 8)).isEqualTo(twin.step(8, 8));
      assertThat(hurt.bits(Role.PARAMETER)).isEqualTo(twin.bits(Role.PARAMETER));
    }
  }

  @Test
  void frozenParametersNeverChangeAndDoNotAlterTheDirectionsOfOthers() {
    Predicate<String> few = name -> name.contains("mlp");
    try (StepRank some = rank(partly(PLAIN, few, Demand.whole()));
        StepRank all = rank(step(PLAIN, 8, 1, 1))) {
      StepOutcome outcome = some.step(0, 8);
      StepOutcome other = all.step(0, 8);
      try (StepRank fresh = rank(step(PLAIN, 8, 1, 1))) {
        for (Param param : all.program().params()) {
          Span was = fresh.program().memory().span(param.name());
          Span now = some.program().memory().span(param.name());
          Span both = all.program().memory().span(param.name());
          for (int i = 0; i < param.shape().elements(); i++) {
            double move = (double) now.getFloat(i) - was.getFloat(i);
            double expected = ((double) both.getFloat(i) - was.getFloat(i)) / other.projected(0);
            boolean trained = few.test(param.name());
            assertThat(move).isCloseTo(trained ? expected * outcome.projected(0) : 0, within(2e-7));
          }
        }
      }
    }
  }

  @Test
  void columnsAloneAreRefused() {
    Demand demand = new Columns(List.of(0, 2));
    assertThatThrownBy(() -> partly(PLAIN, name -> name.contains("mlp"), demand).finish())
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("optimizer: mezo moves whole parameters")
        .hasMessageContaining("mlp");
  }

  /** What a step needs beyond inference: the largest weight twice, and one layer's values again. */
  @Test
  void activationsAreThoseOfInferenceTwiceAndTwoWeights() {
    StepGraphs same = StepRank.graphs(4, new Sgd(1, 0, false, 0, 0), 8, 1, Sharding.none());
    MezoStep step = new MezoStep(same.model(), new Full(), ROUNDED, same.shape(), 1, StepRank.SEED);
    MemorySaving chunks = new MemorySaving(MemorySaving.NONE.recompute(), 8);
    TrainStep chunked = step.with(chunks);
    long inference = dev.kindling.kernels.memory.MemoryPlan.of(chunked.evaluate()).totalBytes();
    long largest =
        chunked.finish().params().stream().mapToLong(p -> p.type().bytes()).max().orElseThrow();
    long found = dev.kindling.kernels.memory.MemoryPlan.of(chunked.finish()).totalBytes();
    assertThat(found).isLessThanOrEqualTo(2 * inference + 2 * largest + 1024);
    long backprop =
        dev.kindling.kernels.memory.MemoryPlan.of(same.with(chunks).finish()).totalBytes();
    assertThat(found).isLessThan(backprop);
  }
}
