package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Storage while it is being decided. Values that take over each other's memory form a cell; a cell
 * is a block of its own or a column range of a wider one. Mutable, used by one thread.
 */
final class Storage {
  /** One use of a value: which node, and which of its inputs. */
  record Reading(Node node, int input) {}

  /** One writing of a value: which node, and which of its outputs. */
  record Writing(Node node, int output) {}

  private record Range(int parent, int column) {}

  private final Graph graph;
  private final Map<Integer, Element> elements;
  private final Map<Integer, Integer> cells = new HashMap<>();
  private final Map<Integer, List<Value>> members = new HashMap<>();
  private final Map<Integer, Range> ranges = new HashMap<>();
  private final Map<Integer, Integer> strides = new HashMap<>();
  private final Map<Integer, List<Reading>> readings = new HashMap<>();
  private final Map<Integer, Writing> writings = new HashMap<>();
  private final Set<Integer> overwritten = new HashSet<>();
  private int nextBlock;

  Storage(Graph graph, Map<Integer, Element> elements) {
    this.graph = graph;
    this.elements = elements;
    nextBlock = graph.contents().keySet().stream().mapToInt(id -> id + 1).max().orElse(0);
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        note(node.input(i));
        readings
            .computeIfAbsent(node.input(i).id(), id -> new ArrayList<>())
            .add(new Reading(node, i));
      }
      for (int i = 0; i < node.outputs().size(); i++) {
        note(node.output(i));
        writings.put(node.output(i).id(), new Writing(node, i));
        int alias = node.op().alias(i);
        if (alias != Op.OWN_MEMORY) {
          takeOver(node.input(alias), node.output(i));
        }
      }
    }
  }

  private void note(Value value) {
    if (cells.putIfAbsent(value.id(), value.id()) == null) {
      members.put(value.id(), new ArrayList<>(List.of(value)));
      nextBlock = Math.max(nextBlock, value.id() + 1);
    }
  }

  List<Reading> readings(Value value) {
    return readings.getOrDefault(value.id(), List.of());
  }

  /** Who writes the value, or null for the content of a variable. */
  @Nullable Writing writing(Value value) {
    return writings.get(value.id());
  }

  Element element(Value value) {
    Element element = elements.get(value.id());
    if (element == null) {
      throw new PlanException(value + " is not of this graph");
    }
    return element;
  }

  /** Whether something is written over the value while the block lives. */
  boolean isOverwritten(Value value) {
    return overwritten.contains(value.id());
  }

  /** The variable whose memory the value lives in, or null. */
  @Nullable Variable variable(Value value) {
    return graph.contents().get(cell(value.id()));
  }

  /** From here on {@code late} lies where {@code early} lay. */
  void takeOver(Value early, Value late) {
    int cell = cell(early.id());
    int other = cell(late.id());
    members(cell).addAll(members(other));
    members.remove(other);
    cells.put(other, cell);
    overwritten.add(early.id());
  }

  /** All values that lie where this one lies. */
  List<Value> cellOf(Value value) {
    return List.copyOf(members(cell(value.id())));
  }

  boolean isPlaced(Value value) {
    return ranges.containsKey(cell(value.id()));
  }

  /** Makes the pieces column ranges of {@code whole}, left to right. */
  void placeInside(Value whole, List<Value> pieces) {
    place(cell(whole.id()), pieces);
  }

  /** Makes the pieces column ranges of a new block, left to right. */
  void placeTogether(List<Value> pieces) {
    int block = nextBlock++;
    cells.put(block, block);
    strides.put(block, pieces.stream().mapToInt(piece -> piece.shape().dim(1)).sum());
    place(block, pieces);
  }

  private void place(int parent, List<Value> pieces) {
    int column = 0;
    for (Value piece : pieces) {
      ranges.put(cell(piece.id()), new Range(parent, column));
      column += piece.shape().dim(1);
    }
  }

  /** Whether the pieces are side by side already, in this order and with nothing else. */
  boolean areTogether(List<Value> pieces) {
    Range first = ranges.get(cell(pieces.get(0).id()));
    if (first == null || first.column() != 0) {
      return false;
    }
    int column = 0;
    for (Value piece : pieces) {
      if (!new Range(first.parent(), column).equals(ranges.get(cell(piece.id())))) {
        return false;
      }
      column += piece.shape().dim(1);
    }
    return column == width(first.parent());
  }

  /**
   * Whether the matrices can become column ranges, left to right, of a matrix that holds nothing
   * else: placed nowhere yet, of one element type, with aligned rows, and every kernel but {@code
   * view} writes and reads them with a row stride.
   */
  boolean mayBeRanges(List<Value> pieces, @Nullable Node view) {
    Set<Integer> distinct = new HashSet<>();
    long bytes = 0;
    for (Value piece : pieces) {
      boolean free = !isPlaced(piece) && variable(piece) == null && distinct.add(cell(piece.id()));
      if (!free || element(piece) != element(pieces.get(0)) || piece.shape().rank() != 2) {
        return false;
      }
      bytes += (long) piece.shape().dim(1) * element(piece).bytes();
      if (bytes % Stored.ROW_ALIGNMENT != 0) {
        return false;
      }
    }
    return toleratesStride(pieces, view);
  }

  /** Whether every kernel but {@code view} that touches these cells takes a row stride. */
  boolean toleratesStride(List<Value> values, @Nullable Node view) {
    for (Value value : values) {
      for (Value member : members(cell(value.id()))) {
        Writing writing = writing(member);
        if (writing == null
            || (!writing.node().equals(view)
                && !OpStorage.writesStride(writing.node(), writing.output()))) {
          return false;
        }
        for (Reading reading : readings(member)) {
          if (!reading.node().equals(view)
              && !OpStorage.acceptsStride(reading.node(), reading.input())) {
            return false;
          }
        }
      }
    }
    return true;
  }

  /** Gives the rows of a block more elements than the value has columns. */
  void pad(Value value, int stride) {
    strides.put(cell(value.id()), stride);
  }

  Stored stored(Value value) {
    int cell = cell(value.id());
    long column = 0;
    while (ranges.containsKey(cell)) {
      Range range = java.util.Objects.requireNonNull(ranges.get(cell));
      column += range.column();
      cell = cell(range.parent());
    }
    Element element = element(value);
    return new Stored(element, cell, column * element.bytes(), width(cell));
  }

  /** Bytes of the block that the value lies in. */
  long blockBytes(Value value) {
    if (value.shape().rank() != 2) {
      return value.shape().elements() * element(value).bytes();
    }
    return (long) value.shape().dim(0) * stored(value).rowStride() * element(value).bytes();
  }

  private int width(int cell) {
    Integer stride = strides.get(cell);
    if (stride != null) {
      return stride;
    }
    Value value = members(cell).get(0);
    int rank = value.shape().rank();
    return rank == 0 ? 1 : value.shape().dim(rank - 1);
  }

  private List<Value> members(int cell) {
    List<Value> found = members.get(cell);
    if (found == null) {
      throw new PlanException("%" + cell + " is not of this graph");
    }
    return found;
  }

  private int cell(int id) {
    int parent = cells.getOrDefault(id, id);
    return parent == id ? id : cell(parent);
  }
}
