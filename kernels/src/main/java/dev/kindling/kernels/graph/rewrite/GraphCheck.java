package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Op;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Proves between passes: every value is written once, before it is read; types are what the
 * operation infers; no node reads a value after an in-place operation wrote over it, nor alongside
 * in the same node; no collective takes what the ranks may not exchange as it is: the step block,
 * which the host gives to all of them, and partial sums, which wait for their sibling in the
 * reduction tree and would leave its order.
 */
public final class GraphCheck {
  private final Set<Integer> written = new HashSet<>();
  private final Map<Integer, Node> overwritten = new HashMap<>();
  private final Map<Integer, Variable> homes = new HashMap<>();

  private GraphCheck() {}

  public static void check(Graph graph) {
    GraphCheck check = new GraphCheck();
    check.written.addAll(graph.contents().keySet());
    check.homes.putAll(graph.contents());
    graph.nodes().forEach(check::node);
  }

  private void node(Node node) {
    for (Value input : node.inputs()) {
      if (!written.contains(input.id())) {
        throw new PlanException(node + ": reads " + input + " before it is written");
      }
      Node writer = overwritten.get(input.id());
      if (writer != null) {
        throw new PlanException(
            node + ": reads " + input + " after it was overwritten by " + writer);
      }
    }
    if (node.op() instanceof Collective) {
      node.inputs().forEach(input -> exchanged(node, input));
    }
    List<ValueType> types = node.op().infer(node.inputTypes());
    if (!types.equals(node.outputs().stream().map(Value::type).toList())) {
      throw new PlanException(node + ": the operation infers " + types);
    }
    for (int i = 0; i < node.outputs().size(); i++) {
      output(node, i);
    }
  }

  private void exchanged(Node node, Value input) {
    Variable home = homes.get(input.id());
    if (home != null && (home.role() == Role.PARTIAL || home.role() == Role.STEP)) {
      throw new PlanException(
          node
              + ": input "
              + input
              + ": a collective takes no variable of role "
              + home.role()
              + ", found "
              + home.name());
    }
  }

  private void output(Node node, int index) {
    Value output = node.output(index);
    if (!written.add(output.id())) {
      throw new PlanException(node + ": writes " + output + " a second time");
    }
    int alias = node.op().alias(index);
    if (alias == Op.OWN_MEMORY) {
      return;
    }
    Value old = node.input(alias);
    Variable home = homes.get(old.id());
    if (home != null) {
      homes.put(output.id(), home);
    }
    long uses = node.inputs().stream().filter(input -> input.equals(old)).count();
    if (uses > 1 || overwritten.put(old.id(), node) != null) {
      throw new PlanException(
          node + ": overwrites " + old + ", which it or another output also uses");
    }
    if (!old.type().equals(output.type())) {
      throw new PlanException(node + ": " + output + " cannot take over the memory of " + old);
    }
  }
}
