package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.nf4.Nf4Reader;
import dev.kindling.kernels.nf4.Nf4Writer;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.launch.ProcessLauncher;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.AdaptedWeights;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.ModelFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs whose first weights are those of a model directory. */
class PretrainedStartTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: 2
      mesh: {zero: %d}
      """;

  /** No weight is small enough for such a step to change it. */
  private static final String STILL = "optimizer.lr=1e-30";

  @TempDir private Path folder;

  private ModelFolder model() throws IOException {
    return ModelFolder.small(folder.resolve("model"), 2).write();
  }

  private SmallRun run(String name, int steps, int zero, String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("model={type: huggingface, path: " + folder.resolve("model") + "}");
    return SmallRun.in(
        folder.resolve(name), String.format(SETTINGS, steps, zero), all.toArray(String[]::new));
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3})
  void aRunBeginsAtTheWeightsOfTheDirectoryHoweverTheyAreSpread(int zero) throws Exception {
    ModelFolder model = model();
    SmallRun run = run("run", 2, zero, STILL);
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    Generation saved = newest(run);
    assertThat(saved.tensors(PartKind.MODEL)).hasSize(model.params().size());
    for (Param param : model.params()) {
      try (Span span = Span.allocate(param.type().bytes())) {
        run.store().read(saved, PartKind.MODEL, param.name(), 0, span);
        byte[] found = new byte[(int) span.bytes()];
        span.buffer().get(found);
        assertThat(found).as(param.name()).isEqualTo(model.content(param.name()));
      }
    }
  }

  /** Hidden matrices are packed as they are read; what is merged later is what they unpack to. */
  @Test
  void overFourBitsARunBeginsAtWhatTheDirectoryUnpacksTo() throws Exception {
    ModelFolder model = model();
    String adapter = "adapter={type: lora, rank: 2, base: nf4}";
    SmallRun run = run("run", 2, 0, STILL, adapter);
    SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER);
    Generation saved = newest(run);
    assertThat(saved.tensors(PartKind.MODEL).keySet()).allMatch(name -> name.contains(".lora_"));
    TrainPlan plan = run.plan();
    ModelFamily family = plan.model().withVocabulary(256);
    int packed = 0;
    try (AdaptedWeights weights = AdaptedWeights.open(plan, family, run.store(), saved)) {
      for (Param param : family.parameters()) {
        Span expected = Span.allocate(param.type().bytes());
        expected.buffer().put(model.content(param.name()));
        if (param.hidden()) {
          packed++;
          unpack((int) param.shape().elements(), expected);
        }
        // What is zero in 4 bits moves by the rate of the steps.
        assertThat(read(weights.values(), param))
            .as(param.name())
            .containsExactly(expected.toFloats(), within(1e-28f));
      }
    }
    assertThat(packed).isEqualTo(7 * family.layers());
    assertThat(outcome.lossBits()).hasSize(2);
    SmallRun plain = run("plain", 2, 0, STILL, adapter.replace("nf4", "plain"));
    assertThat(plain.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .isNotEqualTo(outcome.lossBits());
  }

  private static float[] read(FirstValues values, Param param) {
    try (Span span = Span.allocate(param.type().bytes())) {
      values.fill(param, 0, span);
      return span.toFloats();
    }
  }

  private static void unpack(int elements, Span matrix) {
    Span codes = Span.allocate(Nf4.codes(elements).bytes());
    Span scales = Span.allocate(Nf4.scales(elements).bytes());
    Span statistics = Span.allocate(Nf4.statistics(elements).bytes());
    Nf4Writer writer = new Nf4Writer(elements, codes, scales, statistics);
    writer.write(0, matrix);
    writer.finish();
    new Nf4Reader(codes, scales, statistics).read(0, elements, matrix, 0);
  }

  @Test
  void processesReadWhatThreadsRead() throws Exception {
    model();
    Launcher processes =
        new ProcessLauncher(List.of("--add-modules=jdk.incubator.vector", "-Xmx256m"));
    SmallRun.Outcome one = run("p", 2, 3, "launcher=processes").run(processes, StopSignal.NEVER);
    SmallRun.Outcome two = run("t", 2, 3).run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(one.lossBits()).isEqualTo(two.lossBits()).hasSize(2);
  }

  @Test
  void aBrokenWeightThatOneRankHoldsEndsTheRun() throws Exception {
    String up = "model.layers.1.mlp.up_proj.weight";
    model().spoil(up, 64 * 32 - 1).write();
    SmallRun run = run("run", 2, 3);
    assertThatThrownBy(() -> run.run(new ThreadLauncher(), StopSignal.NEVER))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> assertThat(failed.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining("tensor " + up)
        .hasMessageContaining("element [63, 31]: expected a finite number, found NaN");
  }

  @Test
  void aRunWithACheckpointNeedsTheDirectoryNoMore() throws Exception {
    model();
    SmallRun.Outcome whole = run("whole", 6, 0).run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun cut = run("cut", 6, 0);
    assertThatThrownBy(
            () ->
                cut.run(
                    new ThreadLauncher(),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done && done.step() == 4) {
                        throw new IllegalStateException("killed");
                      }
                    }))
        .isInstanceOf(AttemptFailedException.class);
    Files.move(folder.resolve("model"), folder.resolve("gone"));
    SmallRun.Outcome rest = cut.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(rest.lossBits().keySet()).doesNotContain(1L).contains(6L);
    rest.lossBits().forEach((step, bits) -> assertThat(bits).isEqualTo(whole.lossBits().get(step)));
  }
}
