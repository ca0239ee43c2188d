package dev.kindling.worker.plan;

import static dev.kindling.worker.plan.TrainPlanTest.SMALLEST;
import static dev.kindling.worker.plan.TrainPlanTest.plan;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.plan.PlanChange.Verdict;
import java.util.List;
import org.junit.jupiter.api.Test;

class PlanChangeTest {
  private final TrainPlan before = plan(SMALLEST);

  @Test
  void intervalsLoggingAndLauncherAreFree() {
    TrainPlan after =
        plan(
            SMALLEST,
            "checkpoint.every_steps=7",
            "validation.batches=3",
            "log.every_steps=5",
            "guard.hash_every_steps=0",
            "launcher=threads",
            "spark.conf.a=b",
            "spark.master=local");
    assertThat(PlanChange.compare(before, after))
        .hasSize(7)
        .allMatch(c -> c.verdict() == Verdict.HARMLESS);
    assertThat(PlanChange.check(before, after, List.of())).isEmpty();
    assertThat(PlanChange.compare(before, before)).isEmpty();
  }

  @Test
  void moreStepsStretchEveryScheduleButTheConstantOne() {
    assertThat(PlanChange.check(before, plan(SMALLEST, "steps=200"), List.of()))
        .containsExactly("steps: was 100, now 200 (trajectory not bit-identical from here on)");
    TrainPlan constant = plan(SMALLEST, "schedule={type: constant}");
    TrainPlan longer = plan(SMALLEST, "schedule={type: constant}", "steps=200");
    assertThat(PlanChange.check(constant, longer, List.of())).isEmpty();
  }

  @Test
  void ranksMayChangeWithTheSameGlobalBatchButAreFlaggedInReplay() {
    assertThat(PlanChange.check(before, plan(SMALLEST, "ranks=2"), List.of()))
        .containsExactly("ranks: was 1, now 2 (trajectory not bit-identical from here on)");
    assertThat(PlanChange.check(before, plan(SMALLEST, "mesh.zero=3"), List.of()))
        .containsExactly("mesh.zero: was 0, now 3 (trajectory not bit-identical from here on)");
    TrainPlan exact = plan(SMALLEST, "determinism=exact", "global_batch=2048");
    TrainPlan wider = plan(SMALLEST, "determinism=exact", "global_batch=2048", "ranks=4");
    assertThat(PlanChange.check(exact, wider, List.of())).isEmpty();
  }

  @Test
  void aTrajectoryNamesWhatDecidesBitsAndNothingElse() {
    String own = PlanChange.trajectory(before);
    assertThat(own).contains("seed: 1\n").contains("ranks: 1\n").doesNotContain("checkpoint");
    TrainPlan elsewhere = plan(SMALLEST, "launcher=threads", "guard.hash_every_steps=7");
    assertThat(PlanChange.trajectory(elsewhere)).isEqualTo(own);
    assertThat(PlanChange.trajectory(plan(SMALLEST, "guard.spike_z=5"))).isNotEqualTo(own);
    TrainPlan exact = plan(SMALLEST, "determinism=exact", "global_batch=2048");
    TrainPlan wider = plan(SMALLEST, "determinism=exact", "global_batch=2048", "ranks=4");
    assertThat(PlanChange.trajectory(wider)).isEqualTo(PlanChange.trajectory(exact));
  }

  @Test
  void anyOtherKeyIsRefusedWithOldAndNewValueUnlessAccepted() {
    TrainPlan after =
        plan(SMALLEST, "optimizer={type: sgd, lr: 0.1}", "seed=2", "steps=300", "model.kv_heads=2");
    assertThatThrownBy(() -> PlanChange.check(before, after, List.of("optimizer")))
        .isInstanceOf(PlanException.class)
        .hasMessage(
            """
            a resumed run may change steps, intervals, logging, launcher, ranks, threads, memory, guard and mesh.zero only:
              model.kv_heads: was (absent), now 2 (add --accept-change model.kv_heads to go on with it)
              seed: was 1, now 2 (add --accept-change seed to go on with it)""");
    assertThat(PlanChange.check(before, after, List.of("optimizer", "seed", "model")))
        .contains("seed: was 1, now 2 (accepted; trajectory not bit-identical from here on)")
        .contains(
            "optimizer.type: was adamw, now sgd (accepted; trajectory not bit-identical from here on)");
  }
}
