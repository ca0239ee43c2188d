package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Proves a layout by running it on labels: each byte column of a block is labelled with the value
 * column last written there, and every input must still carry its labels when its group runs. It
 * also proves that the nodes are those of the graph in a legal order, that no launch writes over
 * what it reads, except where the operation allows that, and that nobody touches the memory of a
 * collective that is under way: neither what it reads, by writing, nor what it writes.
 */
public final class LayoutCheck {
  private final Layout layout;
  private final Origins origins;
  private final Map<Region, long[]> labels = new HashMap<>();
  private final List<Group> underWay = new ArrayList<>();

  private LayoutCheck(Layout layout) {
    this.layout = layout;
    this.origins = new Origins(layout.graph());
  }

  /** Throws a PlanException that names the node if the layout does not compute the graph. */
  public static void check(Graph graph, Layout layout) {
    new LayoutCheck(layout).check(graph);
  }

  private void check(Graph graph) {
    GraphCheck.check(layout.graph());
    sameNodes(graph);
    for (Map.Entry<Integer, Variable> content : graph.contents().entrySet()) {
      Value value = new Value(content.getKey(), content.getValue().type());
      if (layout.isStored(value)) {
        write(value);
      }
    }
    int next = 0;
    for (Timetable.Entry entry : layout.timetable().entries()) {
      List<Group> groups = layout.groups().subList(entry.first(), entry.last() + 1);
      if (entry.what() == Timetable.What.JOIN) {
        underWay.subList(0, underWay.indexOf(groups.get(groups.size() - 1)) + 1).clear();
        continue;
      }
      if (entry.first() != next) {
        throw new PlanException(groups + ": expected group " + next);
      }
      next = entry.last() + 1;
      for (Group group : groups) {
        if (entry.what() == Timetable.What.RUN) {
          underWay.forEach(flight -> keepsOff(group, flight));
        }
        run(group);
      }
      if (entry.what() == Timetable.What.ISSUE) {
        together(groups);
        underWay.addAll(groups);
      }
    }
    if (next != layout.groups().size() || !underWay.isEmpty()) {
      throw new PlanException("group " + next + " does not run, or nobody waits for " + underWay);
    }
  }

  /** Collectives that start together: no one touches what another one writes. */
  private void together(List<Group> groups) {
    for (Group group : groups) {
      groups.stream()
          .filter(other -> !other.equals(group))
          .forEach(other -> keepsOff(group, other));
    }
  }

  private void keepsOff(Group group, Group flight) {
    if (group.kind() == Group.Kind.VIEW) {
      return;
    }
    for (Node node : group.nodes()) {
      for (Value output : node.outputs()) {
        refuse(group, output, flight, flight.last().inputs());
        refuse(group, output, flight, flight.last().outputs());
      }
      for (Value input : node.inputs()) {
        refuse(group, input, flight, flight.last().outputs());
      }
    }
  }

  private void refuse(Group group, Value touched, Group flight, List<Value> held) {
    for (Value value : held) {
      if (layout.isStored(touched) && region(touched).overlaps(region(value))) {
        throw new PlanException(
            group + ": touches " + touched + ", which " + flight + " still holds as " + value);
      }
    }
  }

  private void sameNodes(Graph graph) {
    List<Node> grouped = new ArrayList<>();
    layout.groups().forEach(group -> grouped.addAll(group.nodes()));
    Set<Node> expected = new HashSet<>();
    graph.nodes().forEach(node -> expected.add(node.at(0)));
    Set<Node> found = new HashSet<>();
    grouped.forEach(node -> found.add(node.at(0)));
    if (!grouped.equals(layout.graph().nodes())
        || grouped.size() != graph.nodes().size()
        || !found.equals(expected)) {
      throw new PlanException("the groups do not hold each node of the graph once, in order");
    }
  }

  private void run(Group group) {
    Set<Value> inside = new HashSet<>();
    List<Value> inputs = new ArrayList<>();
    for (Node node : group.nodes()) {
      for (Value input : node.inputs()) {
        if (inside.contains(input)) {
          chained(group, node);
        } else {
          expectLabels(input, node);
          inputs.add(input);
        }
      }
      inside.addAll(node.outputs());
    }
    if (group.kind() == Group.Kind.VIEW) {
      group.last().outputs().forEach(output -> expectLabels(output, group.last()));
      return;
    }
    List<Value> written = written(group);
    for (int i = 0; i < written.size(); i++) {
      for (Value input : inputs) {
        mayOverwrite(group, written.get(i), input);
      }
      for (Value other : written.subList(0, i)) {
        if (region(written.get(i)).overlaps(region(other))) {
          throw new PlanException(group + ": writes " + written.get(i) + " over " + other);
        }
      }
    }
    written.forEach(this::write);
  }

  private static void chained(Group group, Node node) {
    switch (group.kind()) {
      case LINEAR_GELU,
          LINEAR_INPUT_GRADIENT,
          LINEAR_INPUT_GRADIENT_GELU,
          LAYER_NORM_GRADIENT_BIAS -> {}
      default -> throw new PlanException(group + ": " + node + " depends on another node of it");
    }
  }

  private List<Value> written(Group group) {
    List<Value> written = new ArrayList<>();
    for (Node node : group.nodes()) {
      boolean summed =
          group.kind() == Group.Kind.LINEAR_INPUT_GRADIENT && !node.equals(group.last());
      if (!summed) {
        node.outputs().stream().filter(layout::isStored).forEach(written::add);
      }
    }
    return written;
  }

  private void mayOverwrite(Group group, Value output, Value input) {
    Region to = region(output);
    Region from = region(input);
    if (!to.overlaps(from)) {
      return;
    }
    boolean allowed =
        to.equals(from)
            && group.nodes().stream().anyMatch(node -> inPlace(group, node, output, input));
    if (!allowed) {
      throw new PlanException(group + ": writes " + output + " over " + input + ", which it reads");
    }
  }

  private static boolean inPlace(Group group, Node node, Value output, Value input) {
    if (group.kind() == Group.Kind.LINEAR_INPUT_GRADIENT) {
      Node first = group.nodes().get(0);
      return first.op().alias(0) != Op.OWN_MEMORY && first.input(first.op().alias(0)).equals(input);
    }
    int out = node.outputs().indexOf(output);
    int in = node.inputs().indexOf(input);
    boolean once = node.inputs().stream().filter(input::equals).count() == 1;
    return out >= 0
        && in >= 0
        && once
        && (node.op().alias(out) == in || (group.mayReuse() && node.op().mayReuse(out, in)));
  }

  private void expectLabels(Value value, Node node) {
    Region region = region(value);
    long[] block = labels.get(region.block());
    long[] expected = labelsOf(value, region);
    for (int i = 0; i < expected.length; i++) {
      long found = block == null ? 0 : block[position(region) + i];
      if (found != expected[i]) {
        throw new PlanException(
            node + ": " + value + " is not in memory any more or not yet, column " + i);
      }
    }
  }

  private void write(Value value) {
    Region region = region(value);
    labels.keySet().removeIf(block -> !block.sameBlock(region) && block.overlaps(region.block()));
    long[] block =
        labels.computeIfAbsent(region.block(), unused -> new long[columns(region.block())]);
    long[] written = labelsOf(value, region);
    System.arraycopy(written, 0, block, position(region), written.length);
  }

  /** Variables and vectors are never cut: one label stands for all of them. */
  private long[] labelsOf(Value value, Region region) {
    long[] origin = origins.of(value);
    return columns(region) == 1 ? new long[] {origin[0]} : spread(origin, columns(region));
  }

  /** Labels are per 2 bytes, the narrowest element. */
  private static long[] spread(long[] origin, int columns) {
    long[] labels = new long[columns];
    Arrays.setAll(labels, i -> origin[(int) ((long) i * origin.length / columns)]);
    return labels;
  }

  private static int columns(Region region) {
    return region.rows() == 1 || region.space() instanceof Variable
        ? 1
        : Math.toIntExact(region.width() / Element.BF16.bytes());
  }

  private static int position(Region region) {
    return columns(region) == 1 ? 0 : Math.toIntExact(region.column() / Element.BF16.bytes());
  }

  private Region region(Value value) {
    return Region.of(layout, value);
  }
}
