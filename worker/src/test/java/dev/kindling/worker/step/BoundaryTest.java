package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.outer.Clip;
import dev.kindling.optim.outer.Co2;
import dev.kindling.optim.outer.Corrected;
import dev.kindling.optim.outer.Diloco;
import dev.kindling.optim.outer.EagerDiloco;
import dev.kindling.optim.outer.FirstRound;
import dev.kindling.optim.outer.LocalSgd;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.Penalty;
import dev.kindling.optim.outer.Slowmo;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.Sgd;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Section 9 of the notes on CO2, on a model, over threads. */
class BoundaryTest {
  private static final Optimizer SGD = new Sgd(ReplicaRuns.LR, 0, false, 0, 0);
  private static final Optimizer ADAMW = new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final int ROUNDS = 5;

  /** Weights of size 1 after some tens of fp32 steps. */
  private static final double FP32 = 2e-5;

  static Co2 co2(int tau, double alpha, double beta, int delay, FirstRound first) {
    return new Co2(tau, alpha, beta, delay, Penalty.CONSTANT, 1, 0, Clip.STORED, first);
  }

  static Stream<OuterMethod> methods() {
    return Stream.of(
        new LocalSgd(3),
        new Slowmo(3, 0.9, 0.4),
        new Diloco(3, 0.7, 0.6, true),
        co2(3, 0.7, 0.2, 1, FirstRound.SYNC),
        co2(3, 0.7, 0.2, 1, FirstRound.RESET),
        new Co2(3, 0.7, 0.2, 1, Penalty.RATIO_NORM, 1, 0, Clip.STORED, FirstRound.SYNC),
        new Co2(3, 0.7, 0.2, 1, Penalty.RATIO_TENSOR, 1, 0.1, Clip.STORED, FirstRound.RESET),
        new EagerDiloco(3, 0.4, 0.5, true),
        new Corrected(3, 0.7, 0.5, true));
  }

  private static List<ReplicaRuns.Seen> run(OuterMethod method, Optimizer rule, int replicas)
      throws Exception {
    return ReplicaRuns.run(method, rule, replicas, ROUNDS, 0, ReplicaRuns.NONE);
  }

  private static void close(float[] found, double[] expected, String what) {
    assertThat(OuterRun.doubles(found))
        .as("%s, seed %d", what, StepRank.SEED)
        .containsExactly(expected, within(FP32));
  }

  /** Invariant 1. */
  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void ofOneStepItIsDescentAlongTheMeanGradient(int replicas) throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(replicas);
    List<Callable<List<float[]>>> tasks = new ArrayList<>();
    for (Communicator own : world) {
      tasks.add(
          () -> {
            List<float[]> after = new ArrayList<>();
            try (StepRank rank = new StepRank(SGD, 2, 1, own)) {
              for (int step = 0; step < ROUNDS; step++) {
                rank.step(ReplicaRuns.first(step, own.rank(), replicas), 2);
                after.add(rank.weights());
              }
            }
            return after;
          });
    }
    List<float[]> everyStep = ReplicaRuns.together(tasks).get(0);
    List<float[]> local = run(new LocalSgd(1), SGD, replicas).get(0).starts();
    List<float[]> blocking = run(co2(1, 1, 0, 0, FirstRound.SYNC), SGD, replicas).get(0).starts();
    for (int step = 0; step < ROUNDS; step++) {
      close(local.get(step), OuterRun.doubles(everyStep.get(step)), "step " + step);
      assertThat(blocking.get(step)).isEqualTo(local.get(step));
    }
  }

  /** Invariants 2 and 3. */
  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void blockingMethodsFollowTheirReferences(int replicas) throws Exception {
    List<float[]> averaged = run(new LocalSgd(3), ADAMW, replicas).get(1).starts();
    List<float[]> slow = run(new Slowmo(3, 0.9, 0.4), SGD, replicas).get(1).starts();
    List<float[]> published =
        run(co2(3, 0.9, 0.4, 0, FirstRound.SYNC), SGD, replicas).get(1).starts();
    try (OuterRun localSgd = new OuterRun(ADAMW, replicas, 3);
        OuterRun slowMo = new OuterRun(SGD, replicas, 3)) {
      double[] u = new double[slowMo.x.length];
      for (int round = 0; round < ROUNDS; round++) {
        double[] mean = localSgd.meanDisplacement();
        double[] d = slowMo.meanDisplacement();
        for (int i = 0; i < u.length; i++) {
          localSgd.x[i] -= mean[i];
          u[i] = 0.4 * u[i] + d[i] / ReplicaRuns.LR;
          slowMo.x[i] -= 0.9 * ReplicaRuns.LR * u[i];
        }
        close(averaged.get(round), localSgd.x, "local SGD, round " + round);
        close(slow.get(round), slowMo.x, "SlowMo, round " + round);
        close(published.get(round), slowMo.x, "CO2 without delay, round " + round);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FirstRound.class)
  void co2FollowsItsReferenceAndIsDrained(FirstRound first) throws Exception {
    List<float[]> found = run(co2(3, 0.7, 0.2, 1, first), ADAMW, 2).get(1).starts();
    try (OuterRun reference = new OuterRun(ADAMW, 2, 3)) {
      double[] m = new double[reference.x.length];
      double[] before = new double[m.length];
      for (int round = 0; round <= ROUNDS; round++) {
        double[] d = round < ROUNDS ? reference.meanDisplacement() : before;
        double[] applied = round == 0 && first == FirstRound.SYNC ? d : before;
        for (int i = 0; i < m.length; i++) {
          m[i] = 0.2 * m[i] + applied[i];
          reference.x[i] -= 0.7 * m[i];
        }
        before = d;
        close(found.get(round), reference.x, first + ", boundary " + round);
      }
    }
  }

  /** Invariant 6; replicas that differ agree once they are drained. */
  @ParameterizedTest
  @MethodSource("methods")
  void replicasHoldTheSameBits(OuterMethod method) throws Exception {
    List<ReplicaRuns.Seen> seen = run(method, ADAMW, 4);
    for (int boundary = 0; boundary <= ROUNDS; boundary++) {
      boolean differ = method.step().replicasDiffer() && boundary < ROUNDS;
      float[] one = seen.get(0).starts().get(boundary);
      for (int replica = 1; replica < 4; replica++) {
        float[] other = seen.get(replica).starts().get(boundary);
        if (differ) {
          assertThat(other).isNotEqualTo(one);
        } else {
          assertThat(other).as("%s, boundary %d", method, boundary).isEqualTo(one);
        }
      }
    }
    for (int round = 0; round < ROUNDS; round++) {
      assertThat(seen.get(3).arrivals().get(round)).isEqualTo(seen.get(0).arrivals().get(round));
    }
  }

  /** Invariant 9: no delay changes a bit, nor does waiting at once. */
  @ParameterizedTest
  @MethodSource("methods")
  void timingChangesNothing(OuterMethod method) throws Exception {
    List<ReplicaRuns.Seen> quick = run(method, ADAMW, 2);
    List<ReplicaRuns.Seen> late = ReplicaRuns.run(method, ADAMW, 2, ROUNDS, 40, ReplicaRuns.NONE);
    List<ReplicaRuns.Seen> waiting =
        ReplicaRuns.run(method, ADAMW, 2, ROUNDS, 0, (rank, boundary) -> boundary.settle());
    for (int replica = 0; replica < 2; replica++) {
      List<float[]> expected = quick.get(replica).starts();
      for (int boundary = 0; boundary <= ROUNDS; boundary++) {
        String what = method + ", boundary " + boundary + ", seed " + StepRank.SEED;
        assertThat(late.get(replica).starts().get(boundary))
            .as(what)
            .isEqualTo(expected.get(boundary));
        assertThat(waiting.get(replica).starts().get(boundary))
            .as(what)
            .isEqualTo(expected.get(boundary));
      }
    }
  }

  /** Invariant 10. */
  @Test
  void liveWeightsAreNotWhatTravels() throws Exception {
    OuterMethod method = co2(3, 0.7, 0.2, 1, FirstRound.RESET);
    ReplicaRuns.Disturbance scribble =
        (rank, boundary) -> {
          Span live = rank.program().memory().arena(Role.PARAMETER);
          float[] kept = live.toFloats();
          live.put(new float[kept.length]);
          boundary.settle();
          live.put(kept);
        };
    List<ReplicaRuns.Seen> disturbed = ReplicaRuns.run(method, ADAMW, 2, ROUNDS, 20, scribble);
    float[] expected = run(method, ADAMW, 2).get(0).starts().get(ROUNDS);
    assertThat(disturbed.get(0).starts().get(ROUNDS)).isEqualTo(expected);
  }

  /** Invariant 11: once a round the payload, where replicas differ once more at the end. */
  @ParameterizedTest
  @MethodSource("methods")
  void aRoundIsOneReduction(OuterMethod method) throws Exception {
    int drained = method.step().replicasDiffer() ? 1 : 0;
    for (ReplicaRuns.Seen seen : run(method, SGD, 2)) {
      assertThat(seen.reductions()).isEqualTo(ROUNDS + drained);
      assertThat(seen.bytes()).isEqualTo(seen.reductions() * seen.payloadBytes());
    }
  }

  @Test
  void tellsEverybodyTheMeanLossOfARound() throws Exception {
    Arrival blocking = run(new LocalSgd(3), SGD, 2).get(1).arrivals().get(2);
    assertThat(blocking.tokens()).isEqualTo(3f * 2 * StepRank.SEQUENCE);
    assertThat(blocking.loss()).isBetween(1f, 4f);
    assertThat(blocking.drift()).isGreaterThan(0);
    List<Arrival> late = run(co2(3, 0.7, 0, 1, FirstRound.RESET), SGD, 2).get(0).arrivals();
    assertThat(late.get(0).isThere()).isFalse();
    assertThat(late.get(1).tokens()).isEqualTo(blocking.tokens());
  }

  @Test
  void presetsAreTheSameBitsWhereTheyAreTheSame() throws Exception {
    float[] diloco = run(new Diloco(3, 0.7, 0.4, false), ADAMW, 2).get(0).starts().get(ROUNDS);
    float[] blocking =
        run(co2(3, 0.7, 0.4, 0, FirstRound.SYNC), ADAMW, 2).get(0).starts().get(ROUNDS);
    assertThat(blocking).isEqualTo(diloco);
    float[] averaged = run(new LocalSgd(3), ADAMW, 2).get(0).starts().get(ROUNDS);
    float[] plain = run(co2(3, 1, 0, 0, FirstRound.SYNC), ADAMW, 2).get(0).starts().get(ROUNDS);
    assertThat(plain).isEqualTo(averaged);
  }
}
