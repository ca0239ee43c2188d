package dev.kindling.worker.plan;

import static dev.kindling.worker.plan.TrainPlanTest.SMALLEST;
import static dev.kindling.worker.plan.TrainPlanTest.plan;
import static dev.kindling.worker.plan.TrainPlanTest.refused;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class GradientConditionsTest {
  @Test
  void narrowGradientsWantAGpuAndOneMicroBatchPerStep() {
    String bf16 = "memory.gradients=bf16";
    assertThat(refused(SMALLEST, bf16))
        .contains("memory.gradients: expected auto or fp32 with device cpu", "found bf16");
    assertThat(refused(SMALLEST, bf16, "device=cuda", "ranks=2"))
        .contains("with several micro-batches per step", "bf16 wants micro_batch 512");
    assertThat(refused(SMALLEST, bf16, "device=cuda", "ranks=4", "mesh.zero=2"))
        .contains("with mesh.zero 2 or 3");
    assertThat(plan(SMALLEST, bf16, "device=cuda", "ranks=4", "mesh.zero=1").gradientLife())
        .isEqualTo(GradientLife.NARROW_SUMS);
    assertThat(plan(SMALLEST, "device=cuda", "ranks=4").gradientLife())
        .isEqualTo(GradientLife.NARROW_SUMS);
    assertThat(plan(SMALLEST, "device=cuda", "ranks=2").gradientLife())
        .isEqualTo(GradientLife.SUMS);
    assertThat(plan(SMALLEST, "ranks=4").gradientLife()).isEqualTo(GradientLife.SUMS);
    String fp32 = "memory.gradients=fp32";
    assertThat(plan(SMALLEST, fp32, "device=cuda", "ranks=4").gradientLife())
        .isEqualTo(GradientLife.SUMS);
  }

  @Test
  void layerwiseUpdatesWantOneMicroBatchWholeParametersAndNoClipNorm() {
    String[] layerwise = {"memory.gradients=layerwise", "optimizer.clip_norm=0", "ranks=4"};
    assertThat(plan(SMALLEST, layerwise).gradientLife()).isEqualTo(GradientLife.PASSING);
    TrainPlan plan = plan(SMALLEST, layerwise);
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
    assertThat(refused(SMALLEST, with(layerwise, "ranks=2")))
        .contains("memory.gradients: expected auto, fp32 or bf16 with several micro-batches")
        .contains("layerwise wants micro_batch 512");
    assertThat(refused(SMALLEST, with(layerwise, "optimizer.clip_norm=1")))
        .contains("optimizer.clip_norm: expected 0 with memory.gradients layerwise", "found 1");
    assertThat(refused(SMALLEST, with(layerwise, "mesh.zero=1")))
        .contains("memory.gradients: expected auto, fp32 or bf16 with mesh.zero above 0");
    assertThat(refused(SMALLEST, with(layerwise, "determinism=exact", "global_batch=2048")))
        .contains("memory.gradients: expected auto, fp32 or bf16 with determinism exact");
    assertThat(refused(SMALLEST, with(layerwise, "adapter.type=lora")))
        .contains("memory.gradients: expected auto, fp32 or bf16 with an adapter");
    assertThat(
            refused(
                SMALLEST,
                "memory.gradients=layerwise",
                "ranks=4",
                "optimizer={type: mezo, lr: 1e-6}"))
        .contains("memory.gradients: expected auto, fp32 or bf16 with optimizer mezo");
  }

  private static String[] with(String[] sets, String... more) {
    return Stream.concat(Stream.of(sets), Stream.of(more)).toArray(String[]::new);
  }
}
