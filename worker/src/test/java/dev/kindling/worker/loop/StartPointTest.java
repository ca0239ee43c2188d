package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.data.SampleDigest;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.data.SkippedBatches;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Injected rows make spikes of one step, which a guard with a low threshold sees. */
class StartPointTest {
  private static final String SETTINGS =
      """
      determinism: exact
      logical_shards: 2
      steps: 40
      global_batch: 64
      micro_batch: 32
      ranks: %d
      guard: {spike_z: 0.5, spike_steps: 1, warmup_steps: 4}
      """;

  @TempDir private Path folder;

  private final List<String> warnings = Collections.synchronizedList(new ArrayList<>());

  /** Rows that look like nothing else in the corpus, so that batches with them spike. */
  private SmallRun small(String name, int ranks, int rollbacks) throws IOException {
    Path text = Files.createDirectories(folder.resolve(name).resolve("text"));
    StringBuilder rows = new StringBuilder();
    Random random = new Random(7);
    while (rows.length() < 1500) {
      rows.append((char) (0xc0 + random.nextInt(0x40)));
    }
    Files.writeString(text.resolve("bad.txt"), rows);
    return SmallRun.in(
        folder.resolve(name), String.format(SETTINGS, ranks), "guard.rollbacks=" + rollbacks);
  }

  private SmallRun.Outcome run(SmallRun run, long dieAfter) throws InterruptedException {
    return run.run(
        new ThreadLauncher(),
        StopSignal.NEVER,
        event -> {
          if (event instanceof LogLine line && line.level() == LogLine.Level.WARN) {
            warnings.add(line.text());
          }
          if (event instanceof StepDone done && done.step() == dieAfter) {
            throw new IllegalStateException("killed");
          }
        });
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }

  private static SkippedBatches leftOut(SmallRun run) {
    return SkippedBatches.decode(newest(run).state().guards().get("spike.left_out"));
  }

  @Test
  void oneAndTwoRanksGoBackAlikeAndLeaveTheSameBatchesOut() throws Exception {
    SmallRun one = small("one", 1, 100);
    SmallRun two = small("two", 2, 100);
    SmallRun.Outcome first = run(one, 0);
    List<String> said = List.copyOf(warnings);
    warnings.clear();
    SmallRun.Outcome second = run(two, 0);
    assertThat(said).anyMatch(line -> line.contains("back to step"));
    assertThat(warnings).isEqualTo(said);
    assertThat(first.lossBits()).hasSize(40);
    assertThat(second.lossBits()).isEqualTo(first.lossBits());
    assertThat(newest(two).stateHash()).isEqualTo(newest(one).stateHash());
    assertThat(leftOut(one).ranges()).isNotEmpty();
    assertThat(newest(one).step()).isEqualTo(40);
  }

  @Test
  void whatIsLeftOutIsNotFed() throws Exception {
    SmallRun run = small("fed", 2, 100);
    run(run, 0);
    SkippedBatches leftOut = leftOut(run);
    SampleOrder order = new SampleOrder(11, run.shards().part(SplitName.TRAIN).sequences());
    LedgerHistory history = LedgerHistory.read(folder.resolve("fed/run"));
    LedgerStep last = java.util.Objects.requireNonNull(history.steps().get(40L));
    long batch = leftOut.batchOf(39);
    assertThat(batch).isGreaterThan(39);
    assertThat(last.samples())
        .hasValue(
            SampleDigest.of(0, order.at(2 * batch)) + SampleDigest.of(1, order.at(2 * batch + 1)));
    assertThat(history.head(40)).contains(newest(run).state().guards().get("ledger"));
  }

  @Test
  void aKillRightAfterARollbackChangesNothing() throws Exception {
    SmallRun whole = small("whole", 2, 100);
    run(whole, 0);
    SmallRun cut = small("cut", 2, 100);
    for (long step : new long[] {11, 17, 23}) {
      assertThatThrownBy(() -> run(cut, step)).isInstanceOf(AttemptFailedException.class);
    }
    run(cut, 0);
    assertThat(newest(cut).stateHash()).isEqualTo(newest(whole).stateHash());
    assertThat(warnings).noneMatch(line -> line.contains("computed again with another result"));
  }

  @Test
  void oneRollbackTooManyEndsTheRunForGood() throws IOException {
    SmallRun run = small("many", 2, 1);
    assertThatThrownBy(() -> run(run, 0))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> assertThat(failed.kind()).isEqualTo(FailureKind.CONFIGURATION))
        .hasMessageContaining("after 1 rollbacks")
        .hasMessageContaining("the run diverges");
  }
}
