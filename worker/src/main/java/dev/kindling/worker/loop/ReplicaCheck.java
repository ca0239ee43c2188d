package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.optim.outer.Sync;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Compares what several ranks hold alike: weights and optimizer states that are not spread. Nothing
 * but a fault of hardware or software makes replicas differ, and most such faults are no NaN.
 *
 * <p>A device hashes each tensor where it lies, in one pass over its memory; any single element
 * that differs is found. What a rank keeps only a piece of has no replica.
 */
final class ReplicaCheck {
  /** A tensor with its kind in words. */
  private record Replica(String kind, Held held) {
    String describe() {
      return kind + " tensor " + held.name();
    }
  }

  private final StepProgram program;
  private final Communicator data;
  private final List<Replica> replicas = new ArrayList<>();

  /**
   * @param sync what ranks hold alike
   */
  ReplicaCheck(StepProgram program, Sync sync, Communicator data) {
    this.program = program;
    this.data = data;
    if (data.worldSize() > 1) {
      SavedTensors.alike(program, sync)
          .forEach(
              (kind, tensors) ->
                  tensors.stream()
                      .filter(Held::isWhole)
                      .forEach(held -> replicas.add(new Replica(kind, held))));
    }
  }

  /**
   * All ranks together, between steps.
   *
   * @throws DeviceException on every rank if replicas differ, naming ranks and the first tensor
   */
  void check(long step) {
    if (replicas.isEmpty()) {
      return;
    }
    List<String> names = replicas.stream().map(replica -> replica.held().name()).toList();
    StringBuilder hashes = new StringBuilder();
    for (long hash : program.memory().hashes(names)) {
      hashes.append(String.format(Locale.ROOT, "%016x ", hash));
    }
    String own = hashes.toString();
    CRC32C all = new CRC32C();
    all.update(own.getBytes(StandardCharsets.US_ASCII));
    List<String> sums = TextExchange.allGather(data, Long.toHexString(all.getValue()));
    if (sums.stream().distinct().count() == 1) {
      return;
    }
    List<String[]> told =
        TextExchange.allGather(data, own).stream().map(line -> line.split(" ", -1)).toList();
    for (int tensor = 0; tensor < replicas.size(); tensor++) {
      Map<String, List<Integer>> ranks = new TreeMap<>();
      for (int rank = 0; rank < told.size(); rank++) {
        ranks.computeIfAbsent(told.get(rank)[tensor], hash -> new ArrayList<>()).add(rank);
      }
      if (ranks.size() > 1) {
        throw new DeviceException(describe(step, replicas.get(tensor), ranks));
      }
    }
  }

  /** The smallest group comes first: where there is a majority, the others are the suspects. */
  private static String describe(long step, Replica replica, Map<String, List<Integer>> ranks) {
    List<Map.Entry<String, List<Integer>>> groups = new ArrayList<>(ranks.entrySet());
    groups.sort(
        Comparator.comparingInt((Map.Entry<String, List<Integer>> group) -> group.getValue().size())
            .thenComparing(group -> group.getValue().get(0)));
    int last = groups.size() - 1;
    boolean majority = groups.get(last).getValue().size() > groups.get(last - 1).getValue().size();
    List<String> words = new ArrayList<>();
    groups.forEach(group -> words.add(ranks(group.getValue()) + ": hash " + group.getKey()));
    return "after step "
        + step
        + " replicas differ in "
        + replica.describe()
        + " ("
        + String.join("; ", words)
        + "); "
        + (majority ? "the fewer are suspected" : "which is wrong cannot be told");
  }

  private static String ranks(List<Integer> ranks) {
    String list = String.join(", ", ranks.stream().map(String::valueOf).toList());
    return (ranks.size() == 1 ? "rank " : "ranks ") + list;
  }
}
