package dev.kindling.worker.checkpoint;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which rank writes which whole tensor in replicated training, balanced by bytes. Largest first to
 * the least loaded rank; ties go by name and by rank, so that every rank computes the same answer
 * alone.
 */
public final class TensorOwners {
  private TensorOwners() {}

  /** Owner of every tensor, in ascending order of names. */
  public static Map<String, Integer> of(Map<String, Long> bytesByName, int worldSize) {
    List<String> order =
        bytesByName.keySet().stream()
            .sorted(
                Comparator.comparing((String name) -> -bytesByName.get(name))
                    .thenComparing(Comparator.naturalOrder()))
            .toList();
    long[] load = new long[worldSize];
    Map<String, Integer> owners = new LinkedHashMap<>();
    for (String name : bytesByName.keySet().stream().sorted().toList()) {
      owners.put(name, 0);
    }
    for (String name : order) {
      long least = Arrays.stream(load).min().orElseThrow();
      int rank = 0;
      while (load[rank] != least) {
        rank++;
      }
      load[rank] += bytesByName.get(name);
      owners.put(name, rank);
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
