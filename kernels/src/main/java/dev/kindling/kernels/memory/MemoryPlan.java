package dev.kindling.kernels.memory;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where each value of a graph lives. Values that alias share a block; a block that dies in a node
 * may be taken over by an output of it where the operation allows. Blocks are placed largest first,
 * each at the lowest offset that is free during its lifetime; an arena never exceeds the size
 * given, the next one is opened instead. No execution happens here.
 */
public final class MemoryPlan {
  private final Map<Integer, Integer> parents = new HashMap<>();
  private final Map<Integer, Variable> variables = new HashMap<>();
  private final Map<Integer, Lifetime> lifetimes = new LinkedHashMap<>();
  private final Map<Integer, Place> places = new HashMap<>();
  private final List<Long> arenas = new ArrayList<>();

  private MemoryPlan() {}

  /** Plans with arenas below 2 GiB: what one direct buffer holds. */
  public static MemoryPlan of(Graph graph) {
    return of(graph, Integer.MAX_VALUE - 2L * Span.ALIGNMENT);
  }

  public static MemoryPlan of(Graph graph, long arenaBytesMax) {
    MemoryPlan plan = new MemoryPlan();
    plan.variables.putAll(graph.contents());
    plan.aliasWhereRequired(graph);
    plan.measure(graph);
    plan.reuseWhereAllowed(graph);
    plan.measure(graph);
    plan.place(arenaBytesMax);
    return plan;
  }

  /**
   * The variable in whose memory this value lives, or null when it lives in an activation arena.
   */
  public @Nullable Variable variableOf(Value value) {
    return variables.get(root(value.id()));
  }

  /** Place of a value that lives in an activation arena. */
  public Place placeOf(Value value) {
    Place place = places.get(root(value.id()));
    if (place == null) {
      throw new PlanException(value + " has no place of its own");
    }
    return place;
  }

  /** Whether both values live in the same memory. */
  public boolean shared(Value a, Value b) {
    return root(a.id()) == root(b.id());
  }

  /** Size of each activation arena. */
  public List<Long> arenaBytes() {
    return List.copyOf(arenas);
  }

  /** Sum of the arenas. */
  public long totalBytes() {
    return arenas.stream().mapToLong(Long::longValue).sum();
  }

  /** Most bytes alive during any one node: no plan can do with less. */
  public long liveBytesPeak() {
    Map<Integer, Long> changes = new java.util.TreeMap<>();
    for (Lifetime lifetime : lifetimes.values()) {
      changes.merge(lifetime.first(), lifetime.bytes(), Long::sum);
      changes.merge(lifetime.last() + 1, -lifetime.bytes(), Long::sum);
    }
    long live = 0;
    long peak = 0;
    for (long change : changes.values()) {
      live += change;
      peak = Math.max(peak, live);
    }
    return peak;
  }

  /** All blocks, in order of first write. */
  public List<Lifetime> lifetimes() {
    return List.copyOf(lifetimes.values());
  }

  /** One line per block: value, bytes, first and last node, place. */
  public String table() {
    StringBuilder text = new StringBuilder();
    lifetimes.forEach(
        (root, life) ->
            text.append(
                String.format(
                    "%%%d %d bytes, nodes %d to %d, %s%n",
                    root, life.bytes(), life.first(), life.last(), places.get(root))));
    return text.toString();
  }

  private int root(int id) {
    Integer parent = parents.get(id);
    return parent == null ? id : root(parent);
  }

  private void aliasWhereRequired(Graph graph) {
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.outputs().size(); i++) {
        int alias = node.op().alias(i);
        if (alias != Op.OWN_MEMORY) {
          parents.put(node.output(i).id(), root(node.input(alias).id()));
        }
      }
    }
  }

  private void measure(Graph graph) {
    lifetimes.clear();
    for (Node node : graph.nodes()) {
      node.inputs().forEach(input -> touch(input, node.index()));
      node.outputs().forEach(output -> touch(output, node.index()));
    }
  }

  private void touch(Value value, int index) {
    int root = root(value.id());
    if (!variables.containsKey(root)) {
      long bytes = Span.aligned(value.type().bytes());
      lifetimes.merge(
          root,
          new Lifetime(root, bytes, index, index),
          (old, now) -> new Lifetime(root, old.bytes(), old.first(), index));
    }
  }

  private void reuseWhereAllowed(Graph graph) {
    for (Node node : graph.nodes()) {
      for (int output = 0; output < node.outputs().size(); output++) {
        if (node.op().alias(output) == Op.OWN_MEMORY) {
          reuse(node, output);
        }
      }
    }
  }

  private void reuse(Node node, int output) {
    for (int input = 0; input < node.inputs().size(); input++) {
      int root = root(node.input(input).id());
      Lifetime life = lifetimes.get(root);
      Value out = node.output(output);
      if (life == null
          || life.last() != node.index()
          || !node.op().mayReuse(output, input)
          || !node.input(input).type().equals(out.type())
          || taken(node, output, root)
          || node.inputs().stream().filter(value -> root(value.id()) == root).count() != 1) {
        continue;
      }
      // The taken block now lives as long as the output; its own block is gone.
      Lifetime own = java.util.Objects.requireNonNull(lifetimes.remove(out.id()));
      parents.put(out.id(), root);
      int last = Math.max(own.last(), life.last());
      lifetimes.put(root, new Lifetime(root, life.bytes(), life.first(), last));
      return;
    }
  }

  /** Whether another output of the node has this block already, such as one that nobody reads. */
  private boolean taken(Node node, int output, int root) {
    for (int other = 0; other < node.outputs().size(); other++) {
      if (other != output && root(node.output(other).id()) == root) {
        return true;
      }
    }
    return false;
  }

  private void place(long arenaBytesMax) {
    List<Lifetime> order = new ArrayList<>(lifetimes.values());
    order.sort(
        Comparator.comparingLong((Lifetime life) -> -life.bytes())
            .thenComparingInt(Lifetime::first)
            .thenComparingInt(Lifetime::value));
    List<Lifetime> placed = new ArrayList<>();
    for (Lifetime life : order) {
      if (life.bytes() > arenaBytesMax) {
        throw new PlanException(
            "value %" + life.value() + ": " + life.bytes() + " bytes do not fit into one arena");
      }
      int arena = 0;
      long offset = firstFit(life, placed, arena);
      while (offset + life.bytes() > arenaBytesMax) {
        arena++;
        offset = firstFit(life, placed, arena);
      }
      places.put(life.value(), new Place(arena, offset));
      placed.add(life);
      while (arenas.size() <= arena) {
        arenas.add(0L);
      }
      arenas.set(arena, Math.max(arenas.get(arena), offset + life.bytes()));
    }
  }

  private long firstFit(Lifetime life, List<Lifetime> placed, int arena) {
    List<long[]> busy = new ArrayList<>();
    for (Lifetime other : placed) {
      Place place = java.util.Objects.requireNonNull(places.get(other.value()));
      if (place.arena() == arena && life.overlaps(other)) {
        busy.add(new long[] {place.offset(), place.offset() + other.bytes()});
      }
    }
    busy.sort(Comparator.comparingLong(range -> range[0]));
    long offset = 0;
    for (long[] range : busy) {
      if (offset + life.bytes() <= range[0]) {
        break;
      }
      offset = Math.max(offset, range[1]);
    }
    return offset;
  }
}
