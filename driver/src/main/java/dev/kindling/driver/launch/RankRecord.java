package dev.kindling.driver.launch;

import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * {@code ranks.jsonl} in the run folder: one line for each attempt that has fewer ranks than the
 * one before it. Absent as long as none had: whoever compares runs must be able to see it.
 */
record RankRecord(Path file) implements RunObserver {
  @Override
  public void attemptStarts(int attempt) {}

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {}

  @Override
  public void emit(WorkerEvent event) {}

  @Override
  public void ranksReduced(int nextAttempt, int before, int now) {
    String line =
        Json.object()
            .put("attempt", nextAttempt)
            .put("ranks", now)
            .put("ranks_before", before)
            .put("reason", "slots were lost and did not come back")
            .build()
            .write();
    try {
      Files.writeString(
          file,
          line + "\n",
          StandardCharsets.UTF_8,
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }
}
