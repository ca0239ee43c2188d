package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Execution order of groups: each as early in the old order as what it needs allows. A node needs
 * the writers of what it reads and, if it writes in place, every other reader of what it
 * overwrites. A collective stands right behind the last node it needs, so that it has the most to
 * hide behind; one that needs none (it gathers what variables hold) stays where its sentence put
 * it, because its result takes memory. The order is a function of the graph alone: ranks with equal
 * graphs meet in the same collectives in the same order. A group that would wait for itself is
 * dissolved.
 */
final class Order {
  private final Graph graph;
  private final List<Set<Integer>> before = new ArrayList<>();

  private Order(Graph graph) {
    this.graph = graph;
    Map<Integer, Integer> writers = new HashMap<>();
    Map<Integer, List<Integer>> readers = new HashMap<>();
    for (Node node : graph.nodes()) {
      before.add(new HashSet<>());
      for (Value input : node.inputs()) {
        Integer writer = writers.get(input.id());
        if (writer != null) {
          before.get(node.index()).add(writer);
        }
        readers.computeIfAbsent(input.id(), id -> new ArrayList<>()).add(node.index());
      }
      node.outputs().forEach(output -> writers.put(output.id(), node.index()));
    }
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.outputs().size(); i++) {
        if (node.op().alias(i) != Op.OWN_MEMORY) {
          int old = node.input(node.op().alias(i)).id();
          before.get(node.index()).addAll(readers.getOrDefault(old, List.of()));
        }
      }
      before.get(node.index()).remove(node.index());
    }
  }

  /** All nodes in groups, candidates as far as possible; indices of the nodes are the new order. */
  static List<Group> of(Graph graph, List<Group> candidates) {
    Order order = new Order(graph);
    List<Group> sorted = order.sorted(candidates);
    if (sorted == null) {
      List<Group> accepted = new ArrayList<>();
      for (Group candidate : candidates) {
        accepted.add(candidate);
        if (order.sorted(accepted) == null) {
          accepted.remove(accepted.size() - 1);
        }
      }
      sorted = order.sorted(accepted);
    }
    if (sorted == null) {
      throw new PlanException("the graph has no execution order");
    }
    return renumbered(sorted);
  }

  private static List<Group> renumbered(List<Group> groups) {
    List<Group> renumbered = new ArrayList<>();
    int next = 0;
    for (Group group : groups) {
      List<Node> nodes = new ArrayList<>();
      for (Node node : group.nodes()) {
        nodes.add(node.at(next++));
      }
      renumbered.add(new Group(group.kind(), nodes));
    }
    return renumbered;
  }

  /** Places of the old order count double: between two of them is room for a collective. */
  private int turn(Group unit, int first) {
    if (unit.last().op() instanceof Collective) {
      int needed = before.get(first).stream().mapToInt(Integer::intValue).max().orElse(-1);
      if (needed >= 0) {
        return 2 * needed + 1;
      }
    }
    return 2 * first;
  }

  /** Topological order of the groups, or null if they wait for each other. */
  private @Nullable List<Group> sorted(List<Group> candidates) {
    Group[] units = new Group[graph.nodes().size()];
    for (Group group : candidates) {
      group.nodes().forEach(node -> units[node.index()] = group);
    }
    int[] unitOf = new int[units.length];
    for (Node node : graph.nodes()) {
      if (units[node.index()] == null) {
        units[node.index()] = new Group(Group.Kind.NODE, List.of(node));
      }
      unitOf[node.index()] =
          units[node.index()].nodes().stream().mapToInt(Node::index).min().orElseThrow();
    }
    return walk(units, unitOf);
  }

  private @Nullable List<Group> walk(Group[] units, int[] unitOf) {
    Map<Integer, Set<Integer>> after = new HashMap<>();
    int[] waits = new int[units.length];
    for (int node = 0; node < units.length; node++) {
      for (int needed : before.get(node)) {
        int from = unitOf[needed];
        int to = unitOf[node];
        if (from != to && after.computeIfAbsent(from, unit -> new HashSet<>()).add(to)) {
          waits[to]++;
        }
      }
    }
    PriorityQueue<Integer> ready =
        new PriorityQueue<>(
            Comparator.comparingInt((Integer unit) -> turn(units[unit], unit))
                .thenComparingInt(unit -> unit));
    int count = 0;
    for (int unit = 0; unit < units.length; unit++) {
      if (unitOf[unit] == unit) {
        count++;
        if (waits[unit] == 0) {
          ready.add(unit);
        }
      }
    }
    List<Group> sorted = new ArrayList<>();
    while (!ready.isEmpty()) {
      int unit = ready.remove();
      sorted.add(units[unit]);
      for (int next : after.getOrDefault(unit, Set.of())) {
        if (--waits[next] == 0) {
          ready.add(next);
        }
      }
    }
    return sorted.size() == count ? sorted : null;
  }
}
