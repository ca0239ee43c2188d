package dev.kindling.driver.launch;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A driver's claim to the checkpoint folder of its run. Once somebody else has taken a newer epoch
 * this driver is fenced: none of its saves can be committed any more, so its ranks are ended at
 * once, and it must never claim again, or two drivers would take turns in fencing each other.
 */
final class EpochClaim {
  private static final Logger LOG = LoggerFactory.getLogger(EpochClaim.class);

  private final Epochs epochs;
  private final Duration pause;
  private volatile long own;

  /**
   * @param pause between two looks at the folder
   */
  EpochClaim(Epochs epochs, Duration pause) {
    this.epochs = epochs;
    this.pause = pause;
  }

  /**
   * Takes the epoch of the next attempt: any free one at first, later the very next one only.
   *
   * @throws AttemptFailedException of kind CHECKPOINT if this driver is fenced
   */
  long next() {
    Failpoint.EPOCH_CLAIM.before();
    try {
      if (own == 0) {
        own = epochs.claim();
      } else if (epochs.claimAfter(own)) {
        own++;
      } else {
        throw fenced(epochs.highest());
      }
      Failpoint.EPOCH_CLAIM.after();
      return own;
    } catch (IOException e) {
      throw new CheckpointException(epochs.storage().location() + ": no epoch: " + e, e);
    }
  }

  /** Interrupts the calling thread if this driver is fenced before the watch is closed. */
  Watch watch() {
    Watch watch = new Watch(Thread.currentThread());
    watch.start();
    return watch;
  }

  private AttemptFailedException fenced(long newer) {
    CheckpointException reason =
        CheckpointException.fenced(epochs.storage().location(), own, newer);
    return new AttemptFailedException(
        FailureKind.CHECKPOINT, -1, String.valueOf(reason.getMessage()), reason);
  }

  /** Looks at the folder from time to time while an attempt runs. */
  final class Watch implements AutoCloseable {
    private final Thread attempt;
    private final CountDownLatch closing = new CountDownLatch(1);
    private long newer;
    private boolean warned;

    private Watch(Thread attempt) {
      this.attempt = attempt;
    }

    private void start() {
      Thread thread = new Thread(this::look, "kindling-epoch");
      thread.setDaemon(true);
      thread.start();
    }

    private void look() {
      try {
        while (!closing.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
          if (superseded()) {
            return;
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private boolean superseded() {
      try {
        long highest = epochs.highest();
        if (highest > own) {
          interrupt(highest);
          return true;
        }
      } catch (IOException e) {
        // The next save says so as well, and with the file's name; a hiccup is no reason to end.
        if (!warned) {
          warned = true;
          LOG.warn("cannot look for newer epochs in {}", epochs.storage().location(), e);
        }
      }
      return false;
    }

    private synchronized void interrupt(long highest) {
      if (closing.getCount() > 0) {
        newer = highest;
        attempt.interrupt();
      }
    }

    /**
     * @throws AttemptFailedException of kind CHECKPOINT if this driver is fenced
     */
    synchronized void check() {
      if (newer > 0) {
        throw fenced(newer);
      }
    }

    /** No interruption by this watch arrives later, nor stays behind. */
    @Override
    public synchronized void close() {
      closing.countDown();
      if (newer > 0) {
        Thread.interrupted();
      }
    }
  }
}
