package dev.kindling.worker.ledger;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerAttemptTest {
  @TempDir private Path runDir;

  private void write(long epoch, int ranks, int rank, long after, long last) {
    String trajectory = LedgerChain.trajectory("seed: 1");
    LedgerHeader header = new LedgerHeader(trajectory, epoch, 0, ranks, rank, after);
    try (LedgerWriter writer = LedgerWriter.open(runDir, header)) {
      for (long step = after + 1; step <= last; step++) {
        writer.append(step, 1, 2, 3);
      }
      assertThat(writer.flush(10_000)).isEmpty();
    }
  }

  @Test
  void saysWhereAttemptsWentOnAndWhatTheyBeganAgain() throws IOException {
    assertThat(LedgerAttempt.recomputed(LedgerAttempt.read(runDir))).isZero();
    write(1, 2, 0, 0, 9);
    write(1, 2, 1, 0, 12);
    assertThat(LedgerAttempt.recomputed(LedgerAttempt.read(runDir))).isZero();
    write(3, 1, 0, 5, 7);
    List<LedgerAttempt> attempts = LedgerAttempt.read(runDir);
    assertThat(attempts)
        .containsExactly(new LedgerAttempt(1, 0, 2, 0, 9), new LedgerAttempt(3, 0, 1, 5, 7));
    assertThat(LedgerAttempt.recomputed(attempts)).isEqualTo(4);
    write(4, 1, 0, 5, 5);
    assertThat(LedgerAttempt.recomputed(LedgerAttempt.read(runDir))).isEqualTo(4);
    write(5, 1, 0, 10, 11);
    assertThat(LedgerAttempt.recomputed(LedgerAttempt.read(runDir))).isZero();
  }
}
