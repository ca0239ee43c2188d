package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExplainPageTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 128, layers: 2, heads: 2, context: 128}
      data: {type: text, paths: [texts]}
      tokenizer: {type: bytes}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 100
      sequence_length: 128
      micro_batch: 8192
      global_batch: 16384
      """;

  private static final String SHARDED =
      """
      model: {type: llama, width: 64, layers: 2, heads: 4}
      data: {type: text, paths: [corpus]}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 10
      sequence_length: 32
      micro_batch: 64
      global_batch: 256
      """;

  private static Bound<TrainPlan> bound(String... sets) {
    return PlanReader.read(ConfigDocument.parse(CONFIG, "exp.yaml"), List.of(sets));
  }

  private static String page(String... sets) {
    return new ExplainPage(bound(sets)).text();
  }

  private static String sharded(String... sets) {
    return new ExplainPage(PlanReader.read(ConfigDocument.parse(SHARDED, "x.yaml"), List.of(sets)))
        .text();
  }

  private static StepMemory memory(String... sets) {
    TrainPlan plan = bound(sets).value();
    return StepMemory.of(plan, ExplainPage.graphs(plan));
  }

  private static String taken(String saving, long bytes) {
    return String.format(Locale.ROOT, "  %-38s %,20d  taken", saving, bytes);
  }

  /** A line's first number. */
  private static long number(String page, String name) {
    String line = page.lines().filter(l -> l.startsWith("  " + name + " ")).findFirst().orElse("");
    return Long.parseLong(
        line.substring(name.length() + 2).trim().split(" ", -1)[0].replace(",", ""));
  }

  @Test
  void aGpuHasEveryReservedByteOnThePage() {
    String page = page("device=cuda");
    assertThat(page).contains("memory that one rank reserves on its GPU");
    long sum = 0;
    for (String name :
        List.of(
            "parameter",
            "gradient",
            "state",
            "input",
            "output",
            "step",
            "bf16 copies",
            "activations",
            "scratch",
            "workspace",
            "tables")) {
      sum += number(page, name);
    }
    assertThat(number(page, "all")).isEqualTo(sum);
    assertThat(number(page, "workspace")).isEqualTo(64L << 20);
    assertThat(page).contains("limit: what is free on the GPU at start");
    assertThat(page)
        .contains(
            taken("recompute none, 1 loss chunk", sum)
                + " if that much is free at start, else the first that fits\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"device=cuda", "device=cpu"})
  void theHostHoldsASnapshotUnlessSavesStopTheSteps(String device) {
    String page = page(device);
    long held = number(page, "parameter") + number(page, "state");
    assertThat(number(page, "snapshot")).isEqualTo(held);
    assertThat(page(device, "checkpoint.async=false")).doesNotContain("  snapshot ");
    assertThat(page(device, "checkpoint.every_steps=0")).doesNotContain("  snapshot ");
  }

  @Test
  void gradientsThatAreWrittenOnceAreHalfAsLong() {
    String wide = page("device=cuda", "global_batch=8192", "memory.gradients=fp32");
    String narrow = page("device=cuda", "global_batch=8192");
    assertThat(narrow).contains("of matrices, in bf16");
    long matrices = number(narrow, "fresh_gradient");
    assertThat(number(wide, "gradient") - number(narrow, "gradient"))
        .isBetween(2 * matrices - 256, 2 * matrices + 256);
    assertThat(number(narrow, "AllReduce")).isLessThan(number(wide, "AllReduce"));
    assertThat(wide).doesNotContain("fresh_gradient");
    assertThat(page("device=cuda")).doesNotContain("fresh_gradient");
  }

  @Test
  void aLimitPicksWhatIsComputedAgain() {
    StepMemory free = memory("device=cuda");
    long elements = free.candidates().get(2).bytes();
    String page = page("device=cuda", "memory.limit=" + elements);
    assertThat(number(page, "all")).isEqualTo(elements);
    assertThat(page).contains("limit: memory.limit " + elements);
    assertThat(page).contains(taken("recompute elements, 1 loss chunk", elements) + "\n");
    // The pass has a line of its own among the graphs.
    assertThat(page).contains("save memory");
    assertThat(page("device=cuda")).doesNotContain("save memory");
  }

  @Test
  void aLimitThatNothingFitsIsADeviceError() {
    assertThatThrownBy(() -> page("device=cuda", "memory.limit=64MiB"))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("found 67,108,864 that may be reserved");
    assertThat(ExitCodes.of(new DeviceException("memory"))).isEqualTo(5);
  }

  @Test
  void aCpuIsPlannedOnTheHost() {
    String page = page();
    assertThat(page).contains("memory of one rank, bytes").contains("limit: none without");
    assertThat(page("memory.recompute=blocks")).contains("recompute blocks, 1 loss chunk");
  }

  @Test
  void oneRankSendsNothing() {
    assertThat(sharded())
        .containsPattern("mesh.zero +0 +default\n")
        .containsPattern("parameter +[1-9]")
        .containsPattern("AllReduce +[1-9][0-9,]* +bytes handed in by a rank, 1 calls\n")
        .containsPattern("bytes sent +0 +per rank, over 1 ranks\n")
        .doesNotContainPattern("\n +working ")
        .doesNotContain("ReduceScatter");
  }

  @Test
  void shardingShowsInMemoryPassesAndTraffic() {
    String two = sharded("ranks=2", "mesh.zero=2");
    // Two micro-steps scatter 7 matrices of 2 layers and the table twice; gathers follow the
    // update.
    assertThat(two)
        .containsPattern("\n +shard +[1-9][0-9,]* +[0-9,]+ +[0-9,]+\n")
        .containsPattern("\n +shard +[1-9][0-9,]*\n")
        .containsPattern("\n +working +[1-9]")
        .containsPattern("AllGather +[1-9][0-9,]* +bytes handed in by a rank, 16 calls\n")
        .containsPattern("ReduceScatter +[1-9][0-9,]* +bytes handed in by a rank, 32 calls\n")
        .containsPattern("bytes sent +[1-9]");
    assertThat(sharded("ranks=2", "mesh.zero=3"))
        .doesNotContainPattern("\n +working ")
        .containsPattern("AllGather +[1-9][0-9,]* +bytes handed in by a rank, [0-9]+ calls\n");
  }
}
