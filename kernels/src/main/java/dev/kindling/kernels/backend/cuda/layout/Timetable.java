package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Collective;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What runs where, and who waits for whom. Collectives run on a lane of their own, one after the
 * other; everything else runs on the main stream. The lane starts a collective when all that stands
 * before it has run. The main stream waits for it before the first group that touches what it
 * writes or writes what it reads, and at the end at the latest. Until then its memory is its own.
 *
 * @param entries in the order in which a host issues them
 */
public record Timetable(List<Entry> entries) {
  /** What happens at one entry. */
  public enum What {
    /** The group runs on the main stream. */
    RUN,
    /** The collective starts on the lane. */
    ISSUE,
    /** The main stream waits for this collective, and so for all that the lane had before it. */
    JOIN
  }

  /**
   * One line.
   *
   * @param group index of the group that runs, is issued or is waited for
   */
  public record Entry(What what, int group) {}

  /**
   * A collective between its issue and the group before which it is waited for.
   *
   * @param issue index of its group
   * @param join index of a later group, or the number of groups
   * @param reads blocks
   * @param writes blocks
   */
  record Flight(int issue, int join, Set<Integer> reads, Set<Integer> writes) {}

  public Timetable {
    entries = List.copyOf(entries);
  }

  /**
   * @param block of a value, null for one that is not stored
   */
  static Timetable of(List<Group> groups, Function<Value, @Nullable Integer> block) {
    Map<Integer, Integer> waits = new HashMap<>();
    List<Flight> flights = flights(groups, block);
    // The lane keeps its order, so waiting for the last of those that are due waits for all.
    flights.forEach(flight -> waits.put(flight.join(), flight.issue()));
    List<Entry> entries = new ArrayList<>();
    for (int index = 0; index <= groups.size(); index++) {
      Integer landed = waits.get(index);
      if (landed != null) {
        entries.add(new Entry(What.JOIN, landed));
      }
      if (index < groups.size()) {
        entries.add(new Entry(flies(groups.get(index)) ? What.ISSUE : What.RUN, index));
      }
    }
    return new Timetable(entries);
  }

  /** All collectives, in order, with what they hold while they are under way. */
  static List<Flight> flights(List<Group> groups, Function<Value, @Nullable Integer> block) {
    List<Flight> flights = new ArrayList<>();
    int join = groups.size();
    for (int issue = groups.size() - 1; issue >= 0; issue--) {
      Group group = groups.get(issue);
      if (flies(group)) {
        Set<Integer> reads = blocks(group.last().inputs(), block);
        Set<Integer> writes = blocks(group.last().outputs(), block);
        join = Math.min(join, firstTouch(groups, issue, reads, writes, block));
        flights.add(0, new Flight(issue, join, reads, writes));
      }
    }
    return flights;
  }

  private static boolean flies(Group group) {
    return group.kind() == Group.Kind.NODE && group.last().op() instanceof Collective;
  }

  private static int firstTouch(
      List<Group> groups,
      int issue,
      Set<Integer> reads,
      Set<Integer> writes,
      Function<Value, @Nullable Integer> block) {
    for (int index = issue + 1; index < groups.size(); index++) {
      Group group = groups.get(index);
      if (flies(group) || group.kind() == Group.Kind.VIEW) {
        continue;
      }
      for (Node node : group.nodes()) {
        Set<Integer> written = blocks(node.outputs(), block);
        if (meet(written, reads)
            || meet(written, writes)
            || meet(blocks(node.inputs(), block), writes)) {
          return index;
        }
      }
    }
    return groups.size();
  }

  private static boolean meet(Set<Integer> some, Set<Integer> others) {
    return some.stream().anyMatch(others::contains);
  }

  private static Set<Integer> blocks(List<Value> values, Function<Value, @Nullable Integer> block) {
    Set<Integer> blocks = new HashSet<>();
    for (Value value : values) {
      Integer found = block.apply(value);
      if (found != null) {
        blocks.add(found);
      }
    }
    return blocks;
  }
}
