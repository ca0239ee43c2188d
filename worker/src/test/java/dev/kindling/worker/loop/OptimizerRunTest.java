package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.launch.ThreadLauncher;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every optimizer in whole runs of two ranks, its state through a checkpoint. */
class OptimizerRunTest {
  private static final String SETTINGS =
      """
      steps: %d
      ranks: 2
      micro_batch: 64
      global_batch: 256
      launcher: threads
      """;

  @TempDir Path folder;

  private SmallRun run(String name, int steps, String optimizer) {
    // From 4096 elements on a matrix has moments in 8 bits.
    return SmallRun.in(
        folder.resolve(name),
        String.format(SETTINGS, steps),
        "model.mlp_width=128",
        "schedule={type: constant, warmup_steps: 2}",
        "optimizer=" + optimizer);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{type: adamw, lr: 0.003, state: bf16}",
        "{type: adamw, lr: 0.003, state: int8}",
        "{type: lion, lr: 0.001}",
        "{type: sgd, lr: 0.1, momentum: 0.9, nesterov: true}",
        "{type: adafactor, lr: 0.003, scale_parameter: false}",
        "{type: adam_mini, lr: 0.003, head_dim: 8}",
        "{type: galore, lr: 0.01, rank: 8, scale: 1, update_interval: 4}",
        "{type: muon, lr: 0.003}",
        "{type: groups, rest: {type: muon, lr: 0.003}, groups: [{match: '*mlp*', rule: {type:"
            + " lion, lr: 0.001}}, {match: '*norm*', rule: {type: sgd, lr: 0.1}}]}"
      })
  void lossFallsAndAResumedRunEqualsAnUndisturbedOne(String optimizer) throws Exception {
    SmallRun whole = run("whole", 14, optimizer);
    Map<Long, Integer> expected = whole.run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
    float first = Float.intBitsToFloat(expected.get(1L));
    float last = Float.intBitsToFloat(expected.get(14L));
    assertThat(last).isLessThan(first - 0.2f);
    Map<Long, Integer> begun =
        run("cut", 6, optimizer).run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
    assertThat(expected).containsAllEntriesOf(begun);
    Map<Long, Integer> rest =
        run("cut", 14, optimizer).run(new ThreadLauncher(), StopSignal.NEVER).lossBits();
    assertThat(rest).containsOnlyKeys(7L, 8L, 9L, 10L, 11L, 12L, 13L, 14L);
    assertThat(expected).containsAllEntriesOf(rest);
  }
}
