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
  private final List<BlockUse> uses;
  private final Map<Integer, Long> bytes;

  private MemoryPlan(List<BlockUse> uses, Map<Integer, Long> bytes) {
    this.uses = uses;
    this.bytes = bytes;
  }

  /** Plans with arenas below 2 GiB: what one direct buffer holds. */
  public static MemoryPlan of(Graph graph) {
    return of(graph, Integer.MAX_VALUE - 2L * Span.ALIGNMENT);
  }

  /** Every value dense, in the element type of its graph; one node at a time. */
  public static MemoryPlan of(Graph graph, long arenaBytesMax) {
    Map<Integer, Integer> roots = new HashMap<>();
    Map<Integer, Long> bytes = new HashMap<>();
    List<BlockUse> uses = new ArrayList<>();
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.outputs().size(); i++) {
        int alias = node.op().alias(i);
        int own = node.output(i).id();
        int old = alias == Op.OWN_MEMORY ? own : node.input(alias).id();
        roots.put(own, alias == Op.OWN_MEMORY ? own : roots.getOrDefault(old, old));
      }
      for (Value value : concat(node.inputs(), node.outputs())) {
        int root = roots.getOrDefault(value.id(), value.id());
        bytes.putIfAbsent(root, Span.aligned(value.type().bytes()));
      }
      uses.add(use(node, roots));
    }
    return of(uses, roots, bytes, graph.contents(), arenaBytesMax);
  }

  /**
   * Plans blocks of any size and use.
   *
   * @param uses what runs, in order; lifetimes count in places of this list
   * @param roots value id to the block it lives in, where that is not its own
   * @param bytes size of each block that is no variable's, a multiple of the wanted alignment
   * @param variables block to the variable whose memory it is
   */
  public static MemoryPlan of(
      List<BlockUse> uses,
      Map<Integer, Integer> roots,
      Map<Integer, Long> bytes,
      Map<Integer, Variable> variables,
      long arenaBytesMax) {
    MemoryPlan plan = new MemoryPlan(List.copyOf(uses), Map.copyOf(bytes));
    roots.forEach(
        (value, root) -> {
          if (!value.equals(root)) {
            plan.parents.put(value, root);
          }
        });
    plan.variables.putAll(variables);
    plan.measure();
    plan.reuseWhereAllowed();
    plan.measure();
    plan.place(arenaBytesMax);
    return plan;
  }

  private static BlockUse use(Node node, Map<Integer, Integer> roots) {
    List<Integer> reads = new ArrayList<>();
    node.inputs().forEach(input -> reads.add(roots.getOrDefault(input.id(), input.id())));
    List<Integer> writes = new ArrayList<>();
    node.outputs().forEach(output -> writes.add(roots.getOrDefault(output.id(), output.id())));
    List<BlockUse.Takeover> takeovers = new ArrayList<>();
    for (int output = 0; output < node.outputs().size(); output++) {
      for (int input = 0; input < node.inputs().size(); input++) {
        if (node.op().alias(output) == Op.OWN_MEMORY
            && node.op().mayReuse(output, input)
            && node.input(input).type().equals(node.output(output).type())) {
          takeovers.add(new BlockUse.Takeover(reads.get(input), writes.get(output)));
        }
      }
    }
    return new BlockUse(reads, writes, takeovers);
  }

  private static List<Value> concat(List<Value> inputs, List<Value> outputs) {
    List<Value> all = new ArrayList<>(inputs);
    all.addAll(outputs);
    return all;
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

  private void measure() {
    lifetimes.clear();
    for (int index = 0; index < uses.size(); index++) {
      for (int block : uses.get(index).reads()) {
        touch(block, index);
      }
      for (int block : uses.get(index).writes()) {
        touch(block, index);
      }
    }
  }

  private void touch(int block, int index) {
    int root = root(block);
    if (!variables.containsKey(root)) {
      long size = java.util.Objects.requireNonNull(bytes.get(root));
      lifetimes.merge(
          root,
          new Lifetime(root, size, index, index),
          (old, now) -> new Lifetime(root, old.bytes(), old.first(), index));
    }
  }

  private void reuseWhereAllowed() {
    for (int index = 0; index < uses.size(); index++) {
      for (BlockUse.Takeover takeover : uses.get(index).takeovers()) {
        if (root(takeover.to()) == takeover.to()) {
          reuse(uses.get(index), index, takeover);
        }
      }
    }
  }

  private void reuse(BlockUse use, int index, BlockUse.Takeover takeover) {
    int root = root(takeover.from());
    Lifetime life = lifetimes.get(root);
    if (life == null
        || life.last() != index
        || taken(use, takeover.to(), root)
        || use.reads().stream().filter(block -> root(block) == root).count() != 1) {
      return;
    }
    // The taken block now lives as long as the output; its own block is gone.
    Lifetime own = java.util.Objects.requireNonNull(lifetimes.remove(takeover.to()));
    parents.put(takeover.to(), root);
    int last = Math.max(own.last(), life.last());
    lifetimes.put(root, new Lifetime(root, life.bytes(), life.first(), last));
  }

  /** Whether another output has this block already, such as one that nobody reads. */
  private boolean taken(BlockUse use, int to, int root) {
    return use.writes().stream().anyMatch(block -> block != to && root(block) == root);
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
