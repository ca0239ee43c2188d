package dev.kindling.kernels.graph;

import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Op;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * Nodes in execution order over single-assignment values. Immutable and printable.
 *
 * @param variables in declaration order
 * @param params in declaration order
 * @param contents value id to the variable whose content at the start of a run it names
 */
public record Graph(
    List<Variable> variables,
    List<Param> params,
    Map<Integer, Variable> contents,
    List<Node> nodes) {
  public Graph {
    variables = List.copyOf(variables);
    params = List.copyOf(params);
    contents = Map.copyOf(contents);
    nodes = List.copyOf(nodes);
  }

  /** Multiplications and additions of one run. */
  public long flops() {
    return nodes.stream().mapToLong(Node::flops).sum();
  }

  /** Bytes read and written by one run if no cache existed. */
  public long bytes() {
    return nodes.stream().mapToLong(Node::bytes).sum();
  }

  /**
   * SHA-256 over the ordered collective operations, their constants, shapes and element types, and
   * what a device may narrow; equal on ranks that will meet in every call.
   */
  public String fingerprintOfCollectives() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      Map<Integer, Variable> homes = new HashMap<>(contents);
      for (Node node : nodes) {
        for (int i = 0; i < node.outputs().size(); i++) {
          int alias = node.op().alias(i);
          if (alias != Op.OWN_MEMORY && homes.containsKey(node.input(alias).id())) {
            homes.put(node.output(i).id(), homes.get(node.input(alias).id()));
          }
        }
        if (node.op() instanceof Collective) {
          String line = node.op() + " " + node.inputTypes() + narrowable(node, homes) + "\n";
          digest.update(line.getBytes(StandardCharsets.UTF_8));
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException("every JDK has SHA-256", missing);
    }
  }

  /** Indices of inputs in the memory of variables that a device stores in its narrow precision. */
  private static List<Integer> narrowable(Node node, Map<Integer, Variable> homes) {
    List<Integer> found = new ArrayList<>();
    for (int i = 0; i < node.inputs().size(); i++) {
      Variable home = homes.get(node.input(i).id());
      if (home != null && home.role().mayBeNarrow()) {
        found.add(i);
      }
    }
    return found;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (Variable variable : variables) {
      text.append(variable.role()).append(' ').append(variable.name()).append(' ');
      text.append(variable.type()).append('\n');
    }
    for (Node node : nodes) {
      text.append(node.index()).append(": ").append(node).append('\n');
    }
    return text.toString();
  }
}
