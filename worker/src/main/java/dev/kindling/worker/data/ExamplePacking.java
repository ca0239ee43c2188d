package dev.kindling.worker.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Which examples share a sequence: best fit, longest first. Each goes whole into the fullest
 * sequence that still has room, so few tokens of a batch are padding. A pure function of the
 * lengths.
 *
 * <p>What is packed is known when all lengths are: about 30 bytes an example on the driver.
 */
final class ExamplePacking {
  private ExamplePacking() {}

  /**
   * @param lengths tokens of each example, none above {@code capacity}
   * @return per sequence the numbers of its examples, ascending
   */
  static List<int[]> bestFit(int[] lengths, int capacity) {
    int[] sequenceOf = new int[lengths.length];
    TreeMap<Integer, Deque<Integer>> byRoom = new TreeMap<>();
    int sequences = 0;
    for (int example : longestFirst(lengths)) {
      int length = lengths[example];
      if (length < 1 || length > capacity) {
        throw new IllegalArgumentException(
            "example " + example + ": expected 1 to " + capacity + " tokens, found " + length);
      }
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

  /** Equal lengths in the order of the examples. */
  private static int[] longestFirst(int[] lengths) {
    return IntStream.range(0, lengths.length)
        .boxed()
        .sorted(Comparator.comparingInt(example -> -lengths[example]))
        .mapToInt(Integer::intValue)
        .toArray();
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
