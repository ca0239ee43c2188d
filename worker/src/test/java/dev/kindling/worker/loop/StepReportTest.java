package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.ThreadLauncher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StepReportTest {
  private static final String SETTINGS =
      """
      steps: 7
      global_batch: 128
      micro_batch: 64
      ranks: 2
      """;

  @TempDir private Path folder;

  private final List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void run() throws Exception {
    SmallRun.in(folder, SETTINGS, "log.every_steps=3", "schedule={type: linear, warmup_steps: 2}")
        .run(new ThreadLauncher(), StopSignal.NEVER, events::add);
  }

  private <E> List<E> all(Class<E> type) {
    return events.stream().filter(type::isInstance).map(type::cast).toList();
  }

  @Test
  void rankZeroReportsEveryThirdStepTheValidatedOneAndTheLast() {
    List<StepDone> steps = all(StepDone.class);
    assertThat(steps).extracting(StepDone::step).containsExactly(3L, 4L, 6L, 7L);
    assertThat(steps).allMatch(done -> done.rank() == 0 && !done.skipped());
    assertThat(steps).extracting(StepDone::tokens).containsExactly(384L, 512L, 768L, 896L);
    // Linear to zero behind two steps of warm-up: factors 1, 2/5 and 1/5 of 0.003.
    assertThat(steps.get(0).lr()).isEqualTo(0.003);
    assertThat(steps.get(3).lr()).isCloseTo(0.0006, org.assertj.core.data.Offset.offset(1e-12));
    assertThat(steps).allMatch(done -> done.commBytes() > 0);
    assertThat(steps)
        .allMatch(
            done -> done.commExposedMillis() > 0 && done.commExposedMillis() <= done.stepMillis());
  }

  @Test
  void checkpointsFollowTheirOwnRhythmAndEveryRankGoesThroughEveryPhase() {
    assertThat(all(CheckpointSaved.class))
        .extracting(CheckpointSaved::step)
        .containsExactly(3L, 6L, 7L);
    for (int rank = 0; rank < 2; rank++) {
      int number = rank;
      assertThat(all(PhaseEntered.class).stream().filter(e -> e.rank() == number))
          .extracting(PhaseEntered::phase)
          .startsWith(Phase.RENDEZVOUS, Phase.COMPILE, Phase.DRY_RUN, Phase.RESTORE, Phase.TRAIN)
          .endsWith(Phase.VALIDATE, Phase.CHECKPOINT, Phase.DONE);
    }
  }
}
