package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.memory.BlockUse;
import dev.kindling.kernels.memory.MemoryPlan;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Applies the rules to one graph, then plans its memory. */
final class LayoutWriter {
  private final Graph graph;
  private final Precision precision;
  private final GroupRules rules;
  private final Storage storage;

  LayoutWriter(Graph graph, Precision precision, GroupRules rules) {
    this.graph = graph;
    this.precision = precision;
    this.rules = rules;
    this.storage = new Storage(graph, Elements.of(graph, precision));
  }

  Layout layout() {
    List<Group> candidates = new ArrayList<>();
    if (rules.views()) {
      InPlaceRope.apply(graph, storage);
      ViewColumns.apply(graph, storage, candidates);
    }
    if (rules.products()) {
      PackProducts.apply(graph, storage, candidates);
      PadRows.apply(graph, storage);
    }
    if (rules.epilogues()) {
      GeluEpilogue.apply(graph, storage, candidates);
      RepeatSwiGlu.apply(graph, storage, candidates);
      NormBias.apply(graph, storage, candidates);
    }
    if (rules.tensors()) {
      MergeTensors.apply(graph, storage, candidates);
    }
    return plan(Order.of(graph, candidates));
  }

  private Layout plan(List<Group> groups) {
    List<Node> nodes = new ArrayList<>();
    groups.forEach(group -> nodes.addAll(group.nodes()));
    Map<Integer, Stored> stored = new HashMap<>();
    Map<Integer, Long> bytes = new HashMap<>();
    List<BlockUse> uses = new ArrayList<>();
    for (Group group : groups) {
      Set<Integer> inside = inside(group);
      for (Node node : group.nodes()) {
        for (Value value : valuesOf(node)) {
          if (!inside.contains(value.id())) {
            Stored found = storage.stored(value);
            stored.put(value.id(), found);
            bytes.merge(found.root(), aligned(storage.blockBytes(value)), Math::max);
          }
        }
      }
      uses.add(use(group, inside));
    }
    Map<Integer, Integer> roots = new HashMap<>();
    stored.forEach((value, place) -> roots.put(value, place.root()));
    holdWhileUnderWay(uses, groups, roots);
    MemoryPlan memory = MemoryPlan.of(uses, roots, bytes, graph.contents(), Long.MAX_VALUE);
    Graph reordered = new Graph(graph.variables(), graph.params(), graph.contents(), nodes);
    return new Layout(reordered, precision, groups, stored, memory);
  }

  /** Blocks of a collective are in use until the main stream has waited for it. */
  private static void holdWhileUnderWay(
      List<BlockUse> uses, List<Group> groups, Map<Integer, Integer> roots) {
    for (Timetable.Flight flight : Timetable.flights(groups, value -> roots.get(value.id()))) {
      int last = flight.join() - 1;
      if (last > flight.issue()) {
        List<Integer> held = new ArrayList<>(uses.get(last).reads());
        held.addAll(flight.reads());
        held.addAll(flight.writes());
        uses.set(last, new BlockUse(held, uses.get(last).writes(), uses.get(last).takeovers()));
      }
    }
  }

  /** Values that a later node of the group reads and nobody else: they never reach memory. */
  private Set<Integer> inside(Group group) {
    Set<Integer> inside = new HashSet<>();
    if (group.kind() != Group.Kind.LINEAR_GELU
        && group.kind() != Group.Kind.LINEAR_INPUT_GRADIENT_GELU) {
      return inside;
    }
    Value between = group.nodes().get(0).output(0);
    if (storage.readings(between).size() == 1) {
      inside.add(between.id());
    }
    return inside;
  }

  private BlockUse use(Group group, Set<Integer> inside) {
    List<Integer> reads = new ArrayList<>();
    List<Integer> writes = new ArrayList<>();
    for (Node node : group.nodes()) {
      node.inputs().stream()
          .filter(value -> !inside.contains(value.id()))
          .forEach(value -> reads.add(storage.stored(value).root()));
      node.outputs().stream()
          .filter(value -> !inside.contains(value.id()))
          .forEach(value -> writes.add(storage.stored(value).root()));
    }
    return new BlockUse(
        reads, writes, group.mayReuse() ? takeovers(group.nodes().get(0)) : List.of());
  }

  /** Only whole dense blocks of equal element type change hands. */
  private List<BlockUse.Takeover> takeovers(Node node) {
    List<BlockUse.Takeover> takeovers = new ArrayList<>();
    for (int output = 0; output < node.outputs().size(); output++) {
      for (int input = 0; input < node.inputs().size(); input++) {
        Value from = node.input(input);
        Value to = node.output(output);
        if (node.op().alias(output) == Op.OWN_MEMORY
            && node.op().mayReuse(output, input)
            && from.type().equals(to.type())
            && storage.element(from) == storage.element(to)
            && storage.stored(from).root() != storage.stored(to).root()
            && fillsBlock(from)
            && fillsBlock(to)) {
          takeovers.add(
              new BlockUse.Takeover(storage.stored(from).root(), storage.stored(to).root()));
        }
      }
    }
    return takeovers;
  }

  private boolean fillsBlock(Value value) {
    Stored stored = storage.stored(value);
    int rank = value.shape().rank();
    return stored.offsetBytes() == 0
        && (rank == 0 || stored.rowStride() == value.shape().dim(rank - 1));
  }

  private static List<Value> valuesOf(Node node) {
    List<Value> values = new ArrayList<>(node.inputs());
    values.addAll(node.outputs());
    return values;
  }

  private static long aligned(long bytes) {
    return (bytes + Layout.BLOCK_ALIGNMENT - 1) / Layout.BLOCK_ALIGNMENT * Layout.BLOCK_ALIGNMENT;
  }
}
