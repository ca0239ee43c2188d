package dev.kindling.kernels.backend.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Finds what lies at equal distances, so that one call reaches all of it. */
final class EvenRuns {
  private EvenRuns() {}

  /**
   * Every index in one run, the longest runs that are easily found first.
   *
   * @param places of each thing, one or more addresses, no two things with the same
   * @return runs of indices along which every address grows by a step of its own
   */
  static List<List<Integer>> of(List<List<Long>> places) {
    Map<List<Long>, Integer> left = new HashMap<>();
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < places.size(); i++) {
      left.put(places.get(i), i);
      order.add(i);
    }
    order.sort(Comparator.comparing(i -> places.get(i).get(0)));
    List<List<Integer>> runs = new ArrayList<>();
    while (!order.isEmpty()) {
      int first = order.get(0);
      List<Integer> longest = List.of(first);
      for (int second : order) {
        List<Integer> run = run(places, left, first, second);
        longest = run.size() > longest.size() ? run : longest;
      }
      longest.forEach(taken -> left.remove(places.get(taken)));
      order.removeAll(longest);
      runs.add(longest);
    }
    return runs;
  }

  /** From the first over the second on, as far as it goes; empty if an address does not grow. */
  private static List<Integer> run(
      List<List<Long>> places, Map<List<Long>, Integer> left, int first, int second) {
    List<Integer> run = new ArrayList<>();
    List<Long> from = places.get(first);
    List<Long> to = places.get(second);
    for (int i = 0; i < from.size(); i++) {
      if (to.get(i) <= from.get(i)) {
        return run;
      }
    }
    List<Long> at = from;
    while (left.containsKey(at)) {
      run.add(left.get(at));
      List<Long> next = new ArrayList<>();
      for (int i = 0; i < at.size(); i++) {
        next.add(at.get(i) + to.get(i) - from.get(i));
      }
      at = next;
    }
    return run;
  }
}
