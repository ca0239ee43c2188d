package dev.kindling.driver.launch;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * How many retries a window of time allows: a run of a month may lose a worker a day, a run that
 * dies at once may not try for ever.
 *
 * @param retries allowed within the window, 0 = never retry
 * @param window length of the sliding window
 */
public record RetryBudget(int retries, Duration window) {
  /** The contract's default. */
  public static final RetryBudget DEFAULT = new RetryBudget(3, Duration.ofHours(1));

  public RetryBudget {
    if (retries < 0 || window.isNegative() || window.isZero()) {
      throw new IllegalArgumentException(
          "retry budget: expected retries >= 0 and a window, found " + retries + ", " + window);
    }
  }

  Account open() {
    return new Account(this);
  }

  /** The retries spent. Not thread-safe. */
  static final class Account {
    private final RetryBudget budget;
    private final Deque<Long> spent = new ArrayDeque<>();

    private Account(RetryBudget budget) {
      this.budget = budget;
    }

    /**
     * Takes one retry if there is one left.
     *
     * @param nanos now, on the clock of {@link System#nanoTime}
     */
    boolean take(long nanos) {
      long window = budget.window().toNanos();
      while (!spent.isEmpty() && nanos - spent.getFirst() >= window) {
        spent.removeFirst();
      }
      if (spent.size() >= budget.retries()) {
        return false;
      }
      spent.addLast(nanos);
      return true;
    }
  }
}
