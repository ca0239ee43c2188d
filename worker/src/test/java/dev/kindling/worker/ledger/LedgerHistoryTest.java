package dev.kindling.worker.ledger;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerHistoryTest {
  private static final String TRAJECTORY = LedgerChain.trajectory("seed: 1");

  @TempDir private Path runDir;

  private static LedgerHeader header(long epoch, int ranks, int rank, long after) {
    return new LedgerHeader(TRAJECTORY, epoch, 0, ranks, rank, after);
  }

  /**
   * Loss bits of a step are its number times ten; each rank fed 1000 times the step, and itself.
   */
  private void write(LedgerHeader header, long last) {
    try (LedgerWriter writer = LedgerWriter.open(runDir, header)) {
      for (long step = header.after() + 1; step <= last; step++) {
        writer.append(step, (int) step * 10, (int) step * 20, 1000 * step + header.rank());
      }
      assertThat(writer.flush(10_000)).isEmpty();
    }
  }

  private Path file(long epoch, int rank) {
    return runDir.resolve("ledger").resolve(header(epoch, 1, rank, 0).fileName());
  }

  private static LedgerStep step(long step, long samples, long epoch) {
    return new LedgerStep(step, (int) step * 10, (int) step * 20, OptionalLong.of(samples), epoch);
  }

  @Test
  void samplesOfAllRanksAreAddedUpAndTheNewestAttemptCounts() throws IOException {
    write(header(1, 2, 0, 0), 5);
    write(header(1, 2, 1, 0), 5);
    write(header(2, 1, 0, 3), 4);
    LedgerHistory history = LedgerHistory.read(runDir);
    assertThat(history.damages()).isEmpty();
    assertThat(history.steps()).hasSize(5);
    assertThat(history.steps().get(3L)).isEqualTo(step(3, 6001, 1));
    assertThat(history.steps().get(4L)).isEqualTo(step(4, 4000, 2));
    assertThat(history.steps().get(5L)).isEqualTo(step(5, 10001, 1));
  }

  @Test
  void theSamplesOfAStepThatARankDidNotRecordAreUnknown() throws IOException {
    write(header(1, 2, 0, 0), 3);
    write(header(1, 2, 1, 0), 2);
    LedgerHistory history = LedgerHistory.read(runDir);
    assertThat(history.steps().get(2L)).isEqualTo(step(2, 4001, 1));
    assertThat(history.steps().get(3L))
        .isEqualTo(new LedgerStep(3, 30, 60, OptionalLong.empty(), 1));
    assertThat(history.head(2)).isPresent();
    assertThat(history.head(3)).isEmpty();
  }

  @Test
  void laterStepsAreReadWithoutTheEarlierOnesAndOfOneTrajectoryOnly() throws IOException {
    write(header(1, 1, 0, 2), 9);
    write(new LedgerHeader(LedgerChain.trajectory("seed: 2"), 2, 0, 1, 0, 2), 9);
    for (long after : new long[] {0, 2, 3, 7, 8}) {
      LedgerHistory history = LedgerHistory.read(runDir, after, TRAJECTORY);
      assertThat(history.damages()).isEmpty();
      assertThat(history.steps().firstKey()).isEqualTo(Math.max(3, after + 1));
      assertThat(history.steps().get(9L)).isEqualTo(step(9, 9000, 1));
    }
    assertThat(LedgerHistory.read(runDir, 9, TRAJECTORY).steps()).isEmpty();
    assertThat(LedgerHistory.read(runDir, 90, TRAJECTORY).steps()).isEmpty();
  }

  @Test
  void everyChangedCharacterOfALineIsNoticedAndItsStepNamed() throws IOException {
    write(header(1, 1, 0, 0), 4);
    byte[] good = Files.readAllBytes(file(1, 0));
    int line = good.length - 2 * LedgerLine.BYTES;
    for (int at = 0; at < LedgerLine.BYTES - 1; at++) {
      byte[] bad = good.clone();
      bad[line + at] ^= 1;
      Files.write(file(1, 0), bad);
      LedgerHistory history = LedgerHistory.read(runDir);
      assertThat(history.damages()).singleElement().asString().contains("line of step 3: expected");
      assertThat(history.steps()).hasSize(2);
    }
  }

  @Test
  void aChangedHeaderIsNoticed() throws IOException {
    write(header(1, 1, 0, 0), 2);
    String good = Files.readString(file(1, 0), StandardCharsets.US_ASCII);
    Files.writeString(file(1, 0), good.replace("ranks 1", "ranks 2"));
    assertThat(LedgerHistory.read(runDir).damages()).singleElement().asString().contains("step 1");
    Files.writeString(file(1, 0), good.replace("ledger 1", "ledger 9"));
    assertThat(LedgerHistory.read(runDir).damages())
        .singleElement()
        .asString()
        .contains("expected a header of a ledger of version 1");
  }

  @Test
  void aTornLastLineIsNoLine() throws IOException {
    write(header(1, 1, 0, 0), 4);
    byte[] whole = Files.readAllBytes(file(1, 0));
    for (int torn = 1; torn <= LedgerLine.BYTES; torn++) {
      Files.write(file(1, 0), java.util.Arrays.copyOf(whole, whole.length - torn));
      LedgerHistory history = LedgerHistory.read(runDir);
      assertThat(history.damages()).isEmpty();
      assertThat(history.steps()).hasSize(3);
    }
  }

  @Test
  void theHeadIsThatOfTheChainWhateverTheNumberOfRanks() throws IOException {
    write(header(1, 2, 0, 0), 3);
    write(header(1, 2, 1, 0), 3);
    LedgerChain chain = LedgerChain.begin();
    for (long step = 1; step <= 3; step++) {
      chain.add(step, (int) step * 10, (int) step * 20, 2000 * step + 1);
    }
    assertThat(LedgerHistory.read(runDir).head(3)).contains(chain.head());
    LedgerChain resumed = LedgerChain.at(chain.head());
    resumed.add(4, 1, 2, 3);
    chain.add(4, 1, 2, 3);
    assertThat(resumed.head()).isEqualTo(chain.head()).hasSize(64);
  }

  @Test
  void aFolderWithoutALedgerHasNoSteps() throws IOException {
    assertThat(LedgerHistory.read(runDir).steps()).isEmpty();
  }
}
