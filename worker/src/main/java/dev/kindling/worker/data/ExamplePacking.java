package dev.kindling.worker.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which examples share a sequence: best fit, longest first. Each goes whole into the fullest
 * sequence that still has room, so few tokens of a batch are padding. A pure function of the
 * lengths.
 *
 * <p>What is packed is known when all lengths are: about 30 bytes an example on the driver.
 */
public final class ExamplePacking {
  private ExamplePacking() {}

  /**
   * @param lengths tokens of each example, none above {@code capacity}
   * @return per sequence the numbers of its examples, ascending
   */
  public static List<int[]> bestFit(int[] lengths, int capacity) {
    int[] sequenceOf = new int[lengths.length];
    TreeMap<Integer, Deque<Integer>> byRoom = new TreeMap<>();
    int sequences = 0;
    for (int example : longestFirst(lengths, capacity)) {
      int length = lengths[example];
      Map.Entry<Integer, Deque<Integer>> fitting = byRoom.ceilingEntry(length);
      int sequence;
      int room;
      if (fitting == null) {
        sequence = sequences++;
        room = capacity;
      } else {
        sequence = fitting.getValue().removeFirst();
        room = fitting.getKey();
        if (fitting.getValue().isEmpty()) {
          byRoom.remove(room);
        }
      }
      sequenceOf[example] = sequence;
      if (room > length) {
        byRoom.computeIfAbsent(room - length, key -> new ArrayDeque<>()).addLast(sequence);
      }
    }
    return bySequence(sequenceOf, sequences);
  }

  /** Numbers of the examples by falling length, equal ones in their order: a counting sort. */
  private static int[] longestFirst(int[] lengths, int capacity) {
    int[] longer = new int[capacity + 1];
    for (int example = 0; example < lengths.length; example++) {
      int length = lengths[example];
      if (length < 1 || length > capacity) {
        throw new IllegalArgumentException(
            "example " + example + ": expected 1 to " + capacity + " tokens, found " + length);
      }
      longer[length - 1]++;
    }
    for (int length = capacity - 1; length >= 0; length--) {
      longer[length] += longer[length + 1];
    }
    int[] sorted = new int[lengths.length];
    for (int example = 0; example < lengths.length; example++) {
      sorted[longer[lengths[example]]++] = example;
    }
    return sorted;
  }

  private static List<int[]> bySequence(int[] sequenceOf, int sequences) {
    int[] counts = new int[sequences];
    for (int sequence : sequenceOf) {
      counts[sequence]++;
    }
    List<int[]> packed = new ArrayList<>(sequences);
    for (int count : counts) {
      packed.add(new int[count]);
    }
    for (int example = sequenceOf.length - 1; example >= 0; example--) {
      int sequence = sequenceOf[example];
      packed.get(sequence)[--counts[sequence]] = example;
    }
    return packed;
  }
}
