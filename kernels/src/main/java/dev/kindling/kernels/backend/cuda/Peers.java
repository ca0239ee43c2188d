package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceCommunicator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;
import jcuda.driver.CUresult;

/**
 * The other ranks that programs of one device meet. A host thread that waits for such a program
 * asks instead of blocking, so that it comes back whatever becomes of them: a communicator that
 * failed ends its kernels, and if even that does not help, the device is given up.
 */
final class Peers {
  /**
   * Longest time from a failure to an idle device: kernels look at their abort flag all the time.
   */
  private static final long GIVE_UP_NANOS = 5_000_000_000L;

  /** The thread wakes some 50 us later; with the next step submitted already nobody misses them. */
  private static final long NAP_NANOS = 20_000;

  private static final int CAPACITY = 64;

  private final List<DeviceCommunicator> known = new ArrayList<>();
  private final DeviceCommunicator[] underWay = new DeviceCommunicator[CAPACITY];
  private final long giveUpNanos;
  private long handed;
  private long ended;
  private boolean givenUp;

  Peers() {
    this(GIVE_UP_NANOS);
  }

  Peers(long giveUpNanos) {
    this.giveUpNanos = giveUpNanos;
  }

  /** From here on every wait looks after this communicator too. */
  void meet(DeviceCommunicator communicator) {
    if (!known.contains(communicator)) {
      known.add(communicator);
    }
  }

  boolean isEmpty() {
    return known.isEmpty();
  }

  /**
   * Whether the device did not become idle after a failure: nothing on it can be freed any more.
   */
  boolean givenUp() {
    return givenUp;
  }

  /** Before work that meets the ranks of this communicator is handed to the device. */
  void submit(DeviceCommunicator communicator, String work, long sentBytes) {
    if (handed - ended == CAPACITY) {
      throw new IllegalStateException(CAPACITY + " runs were submitted and none awaited");
    }
    communicator.submitted(work, sentBytes);
    underWay[(int) (handed++ % CAPACITY)] = communicator;
  }

  /** Number of submissions so far. */
  long handed() {
    return handed;
  }

  /**
   * Returns when the query says CUDA_SUCCESS.
   *
   * @param query asks the driver; CUDA_ERROR_NOT_READY means to ask again
   * @param upTo the submissions that have ended then, as {@link #handed} counted
   * @throws dev.kindling.kernels.backend.CollectiveException if a communicator has failed
   */
  void await(IntSupplier query, long upTo, String what) {
    long failedAt = 0;
    int code = query.getAsInt();
    while (code == CUresult.CUDA_ERROR_NOT_READY) {
      if (failedAt == 0 && anyFailed()) {
        failedAt = System.nanoTime() | 1;
      } else if (failedAt != 0 && System.nanoTime() - failedAt > giveUpNanos) {
        givenUp = true;
        checkAll();
      }
      LockSupport.parkNanos(NAP_NANOS);
      code = query.getAsInt();
    }
    // A failed communicator says more than what the driver makes of it.
    checkAll();
    Cuda.check(code, what);
    while (ended < upTo) {
      underWay[(int) (ended++ % CAPACITY)].completed();
    }
  }

  private boolean anyFailed() {
    for (int i = 0; i < known.size(); i++) {
      if (known.get(i).failed()) {
        return true;
      }
    }
    return false;
  }

  private void checkAll() {
    for (int i = 0; i < known.size(); i++) {
      known.get(i).check();
    }
  }
}
