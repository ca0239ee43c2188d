package dev.kindling.worker.checkpoint;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * A few threads for one process or rank: for the same work on every item of a list, where the
 * caller's thread is one of them, or for an executor.
 *
 * @param owner in the names of threads, between their role and their number; empty for a process
 * @param hands how many threads work at a time
 */
record Crew(String owner, int hands) {
  /** What a host gives to one caller: cores beyond these would wait for memory or the disk. */
  static final int MOST_HANDS = Math.min(8, Runtime.getRuntime().availableProcessors());

  Crew {
    if (hands < 1) {
      throw new IllegalArgumentException("hands: expected 1 or more, found " + hands);
    }
  }

  /** Of a process that has the host for itself. */
  static Crew ofProcess() {
    return new Crew("", MOST_HANDS);
  }

  /** Of one of several ranks that do the same at the same time on one host. */
  static Crew ofRank(int rank, int ranksOnThisHost) {
    int cores = Runtime.getRuntime().availableProcessors() / Math.max(1, ranksOnThisHost);
    return new Crew("-rank-" + rank, Math.max(1, Math.min(MOST_HANDS, cores)));
  }

  /** The same owner's crew of another size. */
  Crew with(int count) {
    return new Crew(owner, count);
  }

  /** Daemons named for their role and their owner. */
  ThreadFactory threads(String role) {
    AtomicInteger number = new AtomicInteger();
    return body -> {
      Thread thread = new Thread(body, role + owner + "-" + number.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /** What is done to an item. */
  interface Work<T> {
    void on(T item) throws IOException;
  }

  /**
   * Items are begun in order. After a failure none is begun; of several failures the one of the
   * first item is thrown.
   */
  <T> void each(String role, List<T> items, Work<? super T> work) throws IOException {
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
    ThreadFactory threads = threads(role);
    List<Thread> others = new ArrayList<>();
    for (int i = 1; i < Math.min(hands, items.size()); i++) {
      Thread thread = threads.newThread(body);
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
  static void rethrow(@Nullable Throwable failure) throws IOException {
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
