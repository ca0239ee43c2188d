package dev.kindling.worker.checkpoint;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** The same work on every item of a list, on a few threads of which the caller's is one. */
final class Crew {
  /** Cores beyond these would wait for memory or the disk. */
  static final int HANDS = Math.min(8, Runtime.getRuntime().availableProcessors());

  private Crew() {}

  /** What is done to an item. */
  interface Work<T> {
    void on(T item) throws IOException;
  }

  /**
   * Items are begun in order. After a failure none is begun; of several failures the one of the
   * first item is thrown.
   */
  static <T> void each(List<T> items, int hands, Work<? super T> work) throws IOException {
    AtomicInteger next = new AtomicInteger();
    AtomicBoolean failed = new AtomicBoolean();
    AtomicReferenceArray<Throwable> failures = new AtomicReferenceArray<>(items.size());
    Runnable body =
        () -> {
          int item = next.getAndIncrement();
          while (item < items.size() && !failed.get()) {
            try {
              work.on(items.get(item));
            } catch (IOException | RuntimeException | Error failure) {
              failures.set(item, failure);
              failed.set(true);
            }
            item = next.getAndIncrement();
          }
        };
    List<Thread> others = new ArrayList<>();
    for (int i = 1; i < Math.min(hands, items.size()); i++) {
      Thread thread = new Thread(body, "verify-" + i);
      thread.setDaemon(true);
      thread.start();
      others.add(thread);
    }
    body.run();
    others.forEach(Crew::join);
    for (int item = 0; item < items.size(); item++) {
      rethrow(failures.get(item));
    }
  }

  /** The interrupt waits too: the others still read what the caller would close. */
  private static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException stopped) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Throws a failure as it was met by one of several threads, if there is one. */
  static void rethrow(@org.jspecify.annotations.Nullable Throwable failure) throws IOException {
    if (failure instanceof IOException io) {
      throw io;
    }
    if (failure instanceof RuntimeException unchecked) {
      throw unchecked;
    }
    if (failure instanceof Error error) {
      throw error;
    }
  }
}
