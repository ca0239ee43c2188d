package dev.kindling.worker.checkpoint;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which rank writes which whole tensor in replicated training, balanced by bytes. Largest first to
 * the least loaded rank; ties go by name and by rank, so that every rank computes the same answer
 * alone.
 */
public final class TensorOwners {
  private TensorOwners() {}

  /** Owner of every tensor, in ascending order of names. */
  public static Map<String, Integer> of(Map<String, Long> bytesByName, int worldSize) {
    List<Map.Entry<String, Long>> order = new ArrayList<>(bytesByName.entrySet());
    order.sort(
        Map.Entry.<String, Long>comparingByValue()
            .reversed()
            .thenComparing(Map.Entry.comparingByKey()));
    long[] load = new long[worldSize];
    Map<String, Integer> owners = new TreeMap<>();
    for (Map.Entry<String, Long> tensor : order) {
      int rank = 0;
      for (int other = 1; other < worldSize; other++) {
        rank = load[other] < load[rank] ? other : rank;
      }
      load[rank] += tensor.getValue();
      owners.put(tensor.getKey(), rank);
    }
    return owners;
  }

  /** The tensors of {@code all} that a rank owns. */
  public static List<NamedSpan> owned(List<NamedSpan> all, int rank, int worldSize) {
    Map<String, Long> bytes = new LinkedHashMap<>();
    for (NamedSpan tensor : all) {
      bytes.put(tensor.name(), tensor.span().bytes());
    }
    Map<String, Integer> owners = of(bytes, worldSize);
    return all.stream().filter(tensor -> owners.getOrDefault(tensor.name(), -1) == rank).toList();
  }
}
