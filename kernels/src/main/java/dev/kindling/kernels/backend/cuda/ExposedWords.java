package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Words of 64 bits behind the fault words, in which the main stream counts the nanoseconds that it
 * stands still for the collectives of each communicator. They travel to the host with the outputs
 * and only ever grow, so that a run whose words nobody reads is counted by the next one.
 *
 * <p>Where nobody meets other ranks no word is watched and nothing is launched; the 64 bytes are
 * there all the same, so that the size of a memory does not depend on the number of ranks.
 *
 * <p>Why two kernels at every join and not fewer: the first is hidden by the very wait it measures,
 * so what they cost is paid where a collective has ended in time, an estimated 3 us a join; a step
 * of ZeRO 3 has some two a layer, and a layer worth sharding takes milliseconds. Leaving out joins
 * whose collective began long before would leave out the slow network that the number is there to
 * show. One kernel for two joins in a row would find none: the timetable puts a join right before a
 * group that computes. Marks on a third stream would cost the main stream nothing, but the last one
 * would compete with the next product for a multiprocessor and count its time as a wait.
 *
 * <p>A join that waits for nothing counts the gap between two kernels, a microsecond or two.
 */
final class ExposedWords {
  private static final int WORDS = 8;

  /** The first word is when the wait under way began; a communicator an axis is 6. */
  private static final int CAPACITY = WORDS - 1;

  /** Bytes behind the fault words. */
  static final int BYTES = WORDS * Long.BYTES;

  private final long address;
  private final List<DeviceCommunicator> communicators = new ArrayList<>();
  private final long[] told = new long[CAPACITY];

  /**
   * @param address of the words on the device, zero at first
   */
  ExposedWords(long address) {
    this.address = address;
  }

  /**
   * Marks that the stream is about to wait.
   *
   * @param launch a kernel by name, on that stream
   */
  Launch begin(Function<String, Launch> launch) {
    return begin(launch, address);
  }

  /** Marks that the wait for this communicator's collectives is over. */
  Launch end(Function<String, Launch> launch, DeviceCommunicator communicator) {
    return end(launch, address, address + (1L + index(communicator)) * Long.BYTES);
  }

  /**
   * @param since address of a word for when the wait began
   */
  static Launch begin(Function<String, Launch> launch, long since) {
    return launch.apply("exposed_begin").grid(1, 1).at(since).ready();
  }

  /**
   * @param waited address of the word that grows
   */
  static Launch end(Function<String, Launch> launch, long since, long waited) {
    return launch.apply("exposed_end").grid(1, 1).at(since, waited).ready();
  }

  private int index(DeviceCommunicator communicator) {
    int index = communicators.indexOf(communicator);
    if (index >= 0) {
      return index;
    }
    if (communicators.size() == CAPACITY) {
      throw new DeviceException(
          "cuda: expected at most " + CAPACITY + " communicators in a memory, found one more");
    }
    communicators.add(communicator);
    return communicators.size() - 1;
  }

  /** Whether any program waits for a communicator. */
  boolean watched() {
    return !communicators.isEmpty();
  }

  /**
   * Tells every communicator what has been added since the last time.
   *
   * @param host words of a run that has ended, from this byte on
   */
  void tell(Span host, long at) {
    for (int i = 0; i < communicators.size(); i++) {
      long waited = word(host, at / Integer.BYTES + 2L * (i + 1));
      // Words of an older run: it was awaited late, or its program brought no outputs.
      if (waited > told[i]) {
        communicators.get(i).exposed(waited - told[i]);
        told[i] = waited;
      }
    }
  }

  private static long word(Span host, long index) {
    return (long) host.getInt(index + 1) << 32 | Integer.toUnsignedLong(host.getInt(index));
  }
}
