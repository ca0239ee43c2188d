package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.store.SmallDisk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A training run whose disk is full for a while. */
class FullDiskTest {
  private static final String SETTINGS =
      """
      steps: 12
      global_batch: 128
      micro_batch: 64
      ranks: 2
      """;

  @TempDir private Path folder;

  @Test
  void aRunGoesOnWhileItsDiskIsFullAndSavesWhenThereIsRoomAgain() throws Exception {
    SmallRun.Outcome undisturbed =
        SmallRun.in(folder.resolve("undisturbed"), SETTINGS)
            .run(new ThreadLauncher(), StopSignal.NEVER);
    try (SmallDisk disk = SmallDisk.mount(folder.resolve("disk"), "size=32m")) {
      List<CheckpointSaved> saves = Collections.synchronizedList(new ArrayList<>());
      EventSink sink =
          event -> {
            if (event instanceof CheckpointSaved saved) {
              saves.add(saved);
              fillOrEmpty(disk, saves);
            }
          };
      SmallRun run = SmallRun.in(disk.folder(), SETTINGS);
      SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER, sink);
      assertThat(outcome.lossBits()).hasSize(12).isEqualTo(undisturbed.lossBits());
      assertThat(saves).hasSize(4);
      assertThat(saves.get(0).failure()).isEmpty();
      for (CheckpointSaved refused : saves.subList(1, 3)) {
        assertThat(refused.name()).isEmpty();
        assertThat(refused.failure()).contains("No space left on device");
      }
      assertThat(saves.get(3).failure()).isEmpty();
      assertThat(run.store().newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(12);
      assertThat(run.store().commits()).hasSize(2);
    }
  }

  /** Full from the first save to the third. */
  private static void fillOrEmpty(SmallDisk disk, List<CheckpointSaved> saves) {
    try {
      if (saves.size() == 1) {
        disk.fill(1);
      } else if (saves.size() == 3) {
        disk.empty();
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
