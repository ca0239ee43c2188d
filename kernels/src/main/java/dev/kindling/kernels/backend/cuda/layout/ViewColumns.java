package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.SplitColumns;
import java.util.List;

/**
 * Splits and concatenations of columns become storage.
 *
 * <pre>
 *   x -> Split -> a, b         a, b are column ranges of x
 *   a, b -> Concat -> y        a, b are written straight into y
 * </pre>
 *
 * Does not fire when a kernel on the way needs dense rows, rows would start unaligned, memory is a
 * variable's, or an operation in place would change what somebody else still reads.
 */
final class ViewColumns {
  private final Storage storage;

  private ViewColumns(Storage storage) {
    this.storage = storage;
  }

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    ViewColumns rule = new ViewColumns(storage);
    for (Node node : graph.nodes()) {
      if (rule.split(node) || rule.concat(node)) {
        candidates.add(new Group(Group.Kind.VIEW, List.of(node)));
      }
    }
  }

  private boolean split(Node node) {
    if (!(node.op() instanceof SplitColumns)) {
      return false;
    }
    Value x = node.input(0);
    List<Value> pieces = node.outputs();
    boolean changed = pieces.stream().anyMatch(storage::isOverwritten);
    if (storage.variable(x) != null
        || storage.isOverwritten(x)
        || (changed && storage.readings(x).size() > 1)
        || !storage.mayBeRanges(pieces, node)) {
      return false;
    }
    storage.placeInside(x, pieces);
    return true;
  }

  private boolean concat(Node node) {
    if (!(node.op() instanceof ConcatColumns)) {
      return false;
    }
    Value whole = node.output(0);
    List<Value> pieces = node.inputs();
    boolean changed = storage.isOverwritten(whole);
    for (Value piece : pieces) {
      if (storage.isOverwritten(piece) || (changed && storage.readings(piece).size() > 1)) {
        return false;
      }
    }
    if (storage.variable(whole) != null || !storage.mayBeRanges(pieces, node)) {
      return false;
    }
    storage.placeInside(whole, pieces);
    return true;
  }
}
