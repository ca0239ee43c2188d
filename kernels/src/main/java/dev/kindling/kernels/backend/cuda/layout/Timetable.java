package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Upload;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What runs where, and who waits for whom. Collectives and uploads of weights run on a lane of
 * their own, one after the other; everything else runs on the main stream. The lane starts a
 * collective when all that stands before it has run. The main stream waits for it before the first
 * group that touches what it writes or writes what it reads, and at the end at the latest. Until
 * then its memory is its own. Collectives of one axis that stand side by side and do not need each
 * other start together.
 *
 * @param entries in the order in which a host issues them
 */
public record Timetable(List<Entry> entries) {
  /** What happens at one entry. */
  public enum What {
    /** The group runs on the main stream. */
    RUN,
    /** The collectives start on the lane, together. */
    ISSUE,
    /** The main stream waits for these collectives, and so for all that the lane had before. */
    JOIN
  }

  /**
   * One line.
   *
   * @param first index of the first group that runs, is issued or is waited for
   * @param last index of the last one
   */
  public record Entry(What what, int first, int last) {}

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
    Map<Integer, Entry> waits = new HashMap<>();
    Map<Integer, Entry> issues = new HashMap<>();
    for (List<Flight> convoy : convoys(groups, flights(groups, block))) {
      int first = convoy.get(0).issue();
      int last = first + convoy.size() - 1;
      issues.put(first, new Entry(What.ISSUE, first, last));
      // The lane keeps its order, so waiting for the last of those that are due waits for all.
      waits.put(convoy.get(0).join(), new Entry(What.JOIN, first, last));
    }
    List<Entry> entries = new ArrayList<>();
    int index = 0;
    while (index <= groups.size()) {
      Entry wait = waits.get(index);
      if (wait != null) {
        entries.add(wait);
      }
      if (index < groups.size()) {
        Entry run = issues.getOrDefault(index, new Entry(What.RUN, index, index));
        entries.add(run);
        index = run.last();
      }
      index++;
    }
    return new Timetable(entries);
  }

  private static List<List<Flight>> convoys(List<Group> groups, List<Flight> flights) {
    List<List<Flight>> convoys = new ArrayList<>();
    for (Flight flight : flights) {
      List<Flight> before = convoys.isEmpty() ? List.of() : convoys.get(convoys.size() - 1);
      if (!before.isEmpty() && joins(groups, before, flight)) {
        before.add(flight);
      } else {
        convoys.add(new ArrayList<>(List.of(flight)));
      }
    }
    return convoys;
  }

  private static boolean joins(List<Group> groups, List<Flight> convoy, Flight next) {
    Flight last = convoy.get(convoy.size() - 1);
    return !isUpload(groups.get(next.issue()))
        && !isUpload(groups.get(last.issue()))
        && next.issue() == last.issue() + 1
        // Somebody waits between the two.
        && convoy.get(0).join() > next.issue()
        && axis(groups.get(next.issue())) == axis(groups.get(last.issue()))
        && convoy.stream()
            .noneMatch(
                other ->
                    meet(other.writes(), next.reads())
                        || meet(other.writes(), next.writes())
                        || meet(other.reads(), next.writes()));
  }

  private static Axis axis(Group group) {
    return ((Collective) group.last().op()).axis();
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
    return isUpload(group)
        || (group.kind() == Group.Kind.NODE && group.last().op() instanceof Collective);
  }

  /** Whether the lane copies a weight here, without other ranks. */
  public static boolean isUpload(Group group) {
    return group.kind() == Group.Kind.NODE && group.last().op() instanceof Upload;
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
