package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Place;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a device runs a graph: the same nodes in an order of its own, grouped into launches, and
 * where and how each value is stored.
 *
 * @param graph nodes in the order in which the groups run them
 * @param groups in order; each node is in exactly one
 * @param stored value id to its storage; a value that stays inside a group has none
 * @param memory place of every block; its time is the index of a group
 */
public record Layout(
    Graph graph,
    Precision precision,
    List<Group> groups,
    Map<Integer, Stored> stored,
    MemoryPlan memory) {
  /** Bytes that every block starts on a multiple of. */
  public static final int BLOCK_ALIGNMENT = 256;

  public Layout {
    groups = List.copyOf(groups);
    stored = Map.copyOf(stored);
  }

  public static Layout of(Graph graph, Precision precision, GroupRules rules) {
    return new LayoutWriter(graph, precision, rules).layout();
  }

  /** Whether the value is in memory at all; one that never leaves its group is not. */
  public boolean isStored(Value value) {
    return stored.containsKey(value.id());
  }

  public Stored stored(Value value) {
    Stored found = stored.get(value.id());
    if (found == null) {
      throw new PlanException(value + " stays inside its group and is not stored");
    }
    return found;
  }

  /** The variable in whose memory the value lives, from its start, or null. */
  public @Nullable Variable variableOf(Value value) {
    return memory.variableOf(block(value));
  }

  /** Arena and byte offset of the value's first element; it must live in no variable. */
  public Place placeOf(Value value) {
    Place place = memory.placeOf(block(value));
    return new Place(place.arena(), place.offset() + stored(value).offsetBytes());
  }

  private Value block(Value value) {
    return new Value(stored(value).root(), value.type());
  }

  /** Which group runs on which stream, and where one waits for the other. */
  public Timetable timetable() {
    return Timetable.of(groups, this::blockOf);
  }

  private @Nullable Integer blockOf(Value value) {
    Stored found = stored.get(value.id());
    return found == null ? null : found.root();
  }

  /** Size of the arenas. */
  public long activationBytes() {
    return memory.totalBytes();
  }

  /** Nodes of a product group from the leftmost column of dy (or y) to the rightmost. */
  public List<Node> byColumns(Group group) {
    return group.nodes().stream()
        .sorted(Comparator.comparingLong((Node node) -> stored(piece(group, node)).offsetBytes()))
        .toList();
  }

  private static Value piece(Group group, Node node) {
    return switch (group.kind()) {
      case LINEAR -> node.output(0);
      case LINEAR_INPUT_GRADIENT -> node.input(0);
      case LINEAR_WEIGHT_GRADIENT -> node.input(1);
      default -> throw new PlanException(group + ": no product of several weights");
    };
  }

  /** One line per group, one per value that it writes. */
  @Override
  public String toString() {
    return LayoutTable.of(this);
  }
}
