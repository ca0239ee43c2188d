package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.plan.TrainPlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs with adapters: steps, checkpoints, directories. */
class AdapterRunTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: %d
      """;

  private static final String LORA = "adapter={type: lora, rank: 2, alpha: 4, dropout: 0.2}";

  @TempDir private Path folder;

  private SmallRun run(String name, int steps, int ranks, String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("schedule.warmup_steps=0");
    String settings = String.format(SETTINGS, steps, ranks);
    return SmallRun.in(folder.resolve(name), settings, all.toArray(String[]::new));
  }

  private static Map<Long, Integer> losses(SmallRun run) throws InterruptedException {
    return run.run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LORA,
        "adapter={type: dora, rank: 2, dropout: 0.1}",
        "adapter={type: paca, rank: 3}",
        "adapter={type: lora, rank: 2, base: nf4, dropout: 0.1}",
        "adapter={type: paca, rank: 3, base: nf4}",
        "adapter={type: frozen, modules_to_save: [o_proj]}"
      })
  void aRunThatIsResumedHasTheBitsOfOneThatIsNot(String adapter) throws Exception {
    Map<Long, Integer> expected = losses(run("whole", 6, 2, adapter));
    SmallRun cut = run("cut", 6, 2, adapter);
    AtomicInteger polls = new AtomicInteger();
    StopSignal early =
        () -> polls.incrementAndGet() > 4 ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE;
    SmallRun.Outcome before = cut.run(new ThreadLauncher(), early);
    long stopped = before.results().get(0).lastStep();
    assertThat(stopped).isBetween(1L, 5L);
    SmallRun.Outcome after = cut.run(new ThreadLauncher(), StopSignal.NEVER);
    Map<Long, Integer> found = new TreeMap<>(before.lossBits());
    found.putAll(after.lossBits());
    assertThat(found).isEqualTo(expected);
    assertThat(after.lossBits().keySet()).contains(6L).allMatch(step -> step > stopped);
  }

  @Test
  void checkpointsHoldWhatIsTrainedAlone() throws Exception {
    SmallRun run = run("run", 2, 1, LORA);
    losses(run);
    Generation newest = run.store().newestValid(new ArrayList<>()).orElseThrow();
    assertThat(newest.tensors(PartKind.MODEL).keySet())
        .hasSize(2 * 2 * 7)
        .allMatch(name -> name.endsWith(".lora_A.weight") || name.endsWith(".lora_B.weight"));
    assertThat(newest.tensors(PartKind.OPTIMIZER)).hasSize(2 * 2 * 2 * 7);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LORA,
        "adapter={type: dora, rank: 2}",
        "adapter={type: paca, rank: 4}",
        "adapter={type: lora, rank: 2, base: nf4}",
        "adapter={type: paca, rank: 4, base: nf4}"
      })
  void stagesOfShardingTrainTheSame(String adapter) throws Exception {
    Map<Long, Integer> alone = losses(run("one", 4, 1, adapter));
    for (int zero = 0; zero <= 3; zero++) {
      Map<Long, Integer> two = losses(run("two" + zero, 4, 2, adapter, "mesh.zero=" + zero));
      for (Map.Entry<Long, Integer> step : alone.entrySet()) {
        float expected = Float.intBitsToFloat(step.getValue());
        float found = Float.intBitsToFloat(two.getOrDefault(step.getKey(), 0));
        assertThat(found).as("zero %d", zero).isCloseTo(expected, within(2e-5f * expected));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LORA,
        "adapter={type: dora, rank: 2}",
        "adapter={type: paca, rank: 4}",
        "adapter={type: lora, rank: 2, base: nf4}",
        "adapter={type: paca, rank: 4, base: nf4}"
      })
  void aDirectoryHoldsTheAdapterAndAnotherRunBeginsAtIt(String adapter) throws Exception {
    SmallRun run = run("run", 3, 1, adapter);
    losses(run);
    TrainPlan plan = run.plan();
    ModelFamily model = plan.model().withVocabulary(256);
    Generation newest = run.store().newestValid(new ArrayList<>()).orElseThrow();
    Projection projection = plan.adapter().projection(model, plan.seed());
    Path target = folder.resolve("adapter");
    FirstValues trained = AdaptedWeights.trained(run.store(), newest);
    PeftExport.write(plan.adapter(), projection, model, trained, "base", target);

    String type = adapter.contains("dora") ? "dora" : "lora";
    String base = adapter.contains("nf4") ? "nf4" : "plain";
    String begin = "adapter={type: " + type + ", base: " + base + ", path: " + target + "}";
    SmallRun next = run("next", 1, 1, begin, "optimizer.lr=1e-30");
    losses(next);
    Generation first = next.store().newestValid(new ArrayList<>()).orElseThrow();
    try (AdaptedWeights one = AdaptedWeights.open(plan, model, run.store(), newest);
        AdaptedWeights two = AdaptedWeights.open(next.plan(), model, next.store(), first)) {
      for (Param param : model.parameters()) {
        // What is zero in 4 bits moves by the rate of the one step.
        assertThat(read(two.values(), param))
            .as(param.name())
            .containsExactly(read(one.values(), param), within(1e-28f));
      }
    }
  }

  private static float[] read(FirstValues values, Param param) {
    try (Span span = Span.allocate(param.type().bytes())) {
      values.fill(param, 0, span);
      return span.toFloats();
    }
  }

  @Test
  void anAdapterOfAnotherModelIsRefusedByItsTensor() throws Exception {
    SmallRun run = run("run", 1, 1, LORA);
    losses(run);
    TrainPlan plan = run.plan();
    ModelFamily model = plan.model().withVocabulary(256);
    Generation newest = run.store().newestValid(new ArrayList<>()).orElseThrow();
    Path target = folder.resolve("adapter");
    PeftExport.write(
        plan.adapter(),
        plan.adapter().projection(model, plan.seed()),
        model,
        AdaptedWeights.trained(run.store(), newest),
        "base",
        target);
    String begin = "adapter={type: lora, path: " + target + "}";
    TrainPlan wider = run("wider", 1, 1, begin, "model.width=48", "model.mlp_width=64").plan();
    ModelFamily other = wider.model().withVocabulary(256);
    try (PeftDirectory directory = PeftDirectory.open(target)) {
      directory.check(model, plan.adapter().projection(model, 1));
      assertThatThrownBy(() -> directory.check(other, wider.adapter().projection(other, 1)))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("q_proj.lora_A.weight: expected shape [2, 48], found [2, 32]");
    }
    assertThatThrownBy(() -> run("dora", 1, 1, "adapter={type: dora, path: " + target + "}"))
        .hasMessageContaining("adapter.type: expected lora");
  }
}
