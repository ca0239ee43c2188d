package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.data.SampleDigest;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHeader;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.ledger.LedgerWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StepLedgerTest {
  private static final String SETTINGS =
      """
      steps: 8
      global_batch: 128
      micro_batch: 32
      ranks: %d
      """;

  @TempDir private Path folder;

  private SmallRun small(int ranks, String... sets) {
    return SmallRun.in(folder.resolve("r" + ranks), String.format(SETTINGS, ranks), sets);
  }

  private Path runDir(int ranks) {
    return folder.resolve("r" + ranks).resolve("run");
  }

  /** Warnings and what rank 0 says about the ledger. */
  private static List<String> said(SmallRun run) throws InterruptedException {
    List<String> lines = Collections.synchronizedList(new ArrayList<>());
    run.run(
        new ThreadLauncher(),
        StopSignal.NEVER,
        event -> {
          if (event instanceof LogLine line
              && (line.level() == LogLine.Level.WARN || line.text().contains("ledger"))) {
            lines.add(line.text());
          }
        });
    return lines;
  }

  /** Dies when step 5 is told, two steps behind its last checkpoint. */
  private static void crash(SmallRun run) {
    assertThatThrownBy(
            () ->
                run.run(
                    new ThreadLauncher(),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done && done.step() == 5) {
                        throw new IllegalStateException("killed");
                      }
                    }))
        .isInstanceOf(AttemptFailedException.class);
  }

  @Test
  void everyRankRecordsWhatItFedAndTheSumIsTheBatchOfTheRun() throws Exception {
    List<LedgerHistory> histories = new ArrayList<>();
    for (int ranks : new int[] {1, 2, 4}) {
      SmallRun run = small(ranks, "determinism=exact", "logical_shards=4");
      assertThat(said(run)).isEmpty();
      LedgerHistory history = LedgerHistory.read(runDir(ranks));
      histories.add(history);
      Generation last = run.store().newestValid(new ArrayList<>()).orElseThrow();
      assertThat(history.head(8)).contains(last.state().guards().get(LedgerChain.GUARD));
      SampleOrder order = new SampleOrder(11, run.shards().part(SplitName.TRAIN).sequences());
      for (LedgerStep step : history.steps().values()) {
        long expected = 0;
        for (long place = 0; place < 4; place++) {
          expected += SampleDigest.of(place, order.at((step.step() - 1) * 4 + place));
        }
        assertThat(step.samples()).hasValue(expected);
      }
    }
    assertThat(histories.get(0).steps()).hasSize(8);
    assertThat(histories.get(1).steps()).isEqualTo(histories.get(0).steps());
    assertThat(histories.get(2).head(8)).isEqualTo(histories.get(0).head(8));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void stepsComputedAgainAfterACrashAreCompared(int ranks) throws Exception {
    SmallRun run = small(ranks);
    crash(run);
    assertThat(said(run)).containsExactly("ledger: 2 steps computed again, equal bits");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aResultThatDiffersFromTheRecordedOneIsSaidWithBoth(int ranks) throws Exception {
    SmallRun run = small(ranks);
    crash(run);
    LedgerStep good = forge(ranks, 5, 1 << 12);
    List<String> said = said(run);
    assertThat(said).hasSize(2);
    assertThat(said.get(0))
        .startsWith("step 5 was computed again with another result; expected (epoch 1 ")
        .contains("loss " + Integer.toHexString(good.lossBits() ^ (1 << 12)))
        .contains("and " + Integer.toHexString(good.lossBits()));
    assertThat(said.get(1)).isEqualTo("1 of 2 steps that were computed again differ");
  }

  /**
   * Rewrites the file of rank 0 with another loss, as a sound ledger of another result. Without
   * those of other ranks, whose samples nobody knows here.
   */
  private LedgerStep forge(int ranks, long forged, int change) throws IOException {
    Path file = runDir(ranks).resolve("ledger").resolve("e0000000001-s0000-r00000.log");
    String trajectory = Files.readString(file).split(" ", 6)[4];
    LedgerHistory history = LedgerHistory.read(runDir(ranks));
    Files.delete(file);
    Files.deleteIfExists(file.resolveSibling("e0000000001-s0000-r00001.log"));
    try (LedgerWriter writer =
        LedgerWriter.open(runDir(ranks), new LedgerHeader(trajectory, 1, 0, ranks, 0, 0))) {
      for (LedgerStep step : history.steps().values()) {
        int bits = step.step() == forged ? step.lossBits() ^ change : step.lossBits();
        writer.append(step.step(), bits, step.gradNormBits(), step.samples().orElse(0));
      }
      assertThat(writer.flush(10_000)).isEmpty();
    }
    return Objects.requireNonNull(history.steps().get(forged));
  }

  @Test
  void aChangedLineIsSaidWithItsStep() throws Exception {
    SmallRun run = small(1);
    crash(run);
    Path file = runDir(1).resolve("ledger").resolve("e0000000001-s0000-r00000.log");
    String text = Files.readString(file);
    int line = text.indexOf("000000000004 ");
    Files.writeString(file, text.substring(0, line + 13) + '0' + text.substring(line + 14));
    assertThat(said(run))
        .singleElement()
        .asString()
        .contains("line of step 4: expected check ")
        .contains("it was changed after it was written");
  }

  @Test
  void whatAnotherConfigurationRecordedIsNotCompared() throws Exception {
    crash(small(2));
    assertThat(said(small(2, "optimizer.lr=0.002"))).isEmpty();
  }
}
