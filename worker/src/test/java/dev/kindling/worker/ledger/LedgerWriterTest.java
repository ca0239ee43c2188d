package dev.kindling.worker.ledger;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerWriterTest {
  private static final LedgerHeader HEADER =
      new LedgerHeader(LedgerChain.trajectory(""), 1, 0, 1, 0, 0);

  @TempDir private Path runDir;

  @Test
  void aStepLeavesNoGarbage() throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    LedgerChain chain = LedgerChain.begin();
    try (LedgerWriter writer = LedgerWriter.open(runDir, HEADER)) {
      long step = 1;
      long id = Thread.currentThread().getId();
      long bytes = Long.MAX_VALUE;
      for (int round = 0; round < 5; round++) {
        long before = threads.getThreadAllocatedBytes(id);
        for (int i = 0; i < 100; i++) {
          writer.append(step, 1, 2, step);
          chain.add(step++, 1, 2, 3);
        }
        bytes = Math.min(bytes, threads.getThreadAllocatedBytes(id) - before);
        assertThat(writer.flush(10_000)).isEmpty();
      }
      assertThat(bytes).isZero();
    }
    assertThat(LedgerHistory.read(runDir).steps()).hasSize(500);
  }

  @Test
  void storageThatRefusesCostsTheLedgerAndNotTheRun() throws IOException {
    Files.writeString(runDir.resolve("ledger"), "in the way");
    try (LedgerWriter writer = LedgerWriter.open(runDir, HEADER)) {
      writer.append(1, 1, 2, 3);
      assertThat(writer.flush(10_000)).contains("ledger");
      writer.append(2, 1, 2, 3);
      assertThat(writer.flush(10_000)).contains("ledger");
    }
  }

  @Test
  void theFileOfAnotherWriterIsNotTouched() throws IOException {
    try (LedgerWriter first = LedgerWriter.open(runDir, HEADER)) {
      first.append(1, 1, 2, 3);
      assertThat(first.flush(10_000)).isEmpty();
      try (LedgerWriter second = LedgerWriter.open(runDir, HEADER)) {
        assertThat(second.flush(10_000)).contains("FileAlreadyExists");
      }
    }
    assertThat(LedgerHistory.read(runDir).steps()).hasSize(1);
  }
}
