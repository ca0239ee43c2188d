package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * What rank 0 does alone while the others wait. To read back a large checkpoint takes longer than
 * any silence that means a hang, so rank 0 says again and again that it is still at it.
 */
final class SoloWork {
  private static final Duration PULSE = Duration.ofSeconds(10);
  private static final Duration LOOK = Duration.ofSeconds(1);
  private static final String BUSY = "busy";
  private static final String DONE = "done ";

  private SoloWork() {}

  /**
   * All ranks together.
   *
   * @param work of rank 0, in a thread of its own; what it throws, rank 0 throws
   * @return its result, on every rank
   */
  static String told(Communicator data, Supplier<String> work) {
    return told(data, work, PULSE);
  }

  /**
   * As above for work that may hang.
   *
   * @param given when rank 0 is not to wait any longer, the result instead
   */
  static String told(Communicator data, Supplier<String> work, Supplier<Optional<String>> given) {
    return told(data, work, LOOK, given);
  }

  static String told(Communicator data, Supplier<String> work, Duration pulse) {
    return told(data, work, pulse, Optional::empty);
  }

  private static String told(
      Communicator data, Supplier<String> work, Duration pulse, Supplier<Optional<String>> given) {
    FutureTask<String> task = new FutureTask<>(work::get);
    if (data.rank() == 0) {
      Thread thread = new Thread(task, "rank-0-alone");
      thread.setDaemon(true);
      thread.start();
    }
    try {
      String word = BUSY;
      while (word.equals(BUSY)) {
        String own = data.rank() == 0 ? await(task, pulse, given) : "";
        word = TextExchange.allGather(data, own).get(0);
      }
      return word.substring(DONE.length());
    } finally {
      // After a failure nobody wants the result: a late commit could fight a new attempt.
      task.cancel(true);
    }
  }

  private static String await(
      FutureTask<String> task, Duration pulse, Supplier<Optional<String>> given) {
    try {
      return DONE + task.get(pulse.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException goesOn) {
      return given.get().map(result -> DONE + result).orElse(BUSY);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new CollectiveException("interrupted while rank 0 worked alone", stopped);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof RuntimeException own) {
        throw own;
      }
      if (failed.getCause() instanceof Error own) {
        throw own;
      }
      throw new IllegalStateException(failed.getCause());
    }
  }
}
