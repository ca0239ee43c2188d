package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.function.Function;

/** A pure pass over nodes in execution order. Values that other nodes read keep their identity. */
public interface Rewrite {
  /**
   * New node list; {@code fresh} makes values for outputs that did not exist. Indices need not be
   * right.
   */
  List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh);
}
