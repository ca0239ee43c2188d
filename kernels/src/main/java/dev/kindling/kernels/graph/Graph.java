package dev.kindling.kernels.graph;

import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Op;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

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
      Set<Integer> narrow = narrowable();
      for (Node node : nodes) {
        if (node.op() instanceof Collective) {
          String line = node.op() + " " + node.inputTypes() + narrowInputs(node, narrow) + "\n";
          digest.update(line.getBytes(StandardCharsets.UTF_8));
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException("every JDK has SHA-256", missing);
    }
  }

  private static List<Integer> narrowInputs(Node node, Set<Integer> narrow) {
    return IntStream.range(0, node.inputs().size())
        .filter(i -> narrow.contains(node.input(i).id()))
        .boxed()
        .toList();
  }

  /**
   * Ids of values that a device with a narrow precision narrows: in the memory of variables, and
   * {@link PassingGradients}.
   */
  public Set<Integer> narrowable() {
    Set<Integer> narrow = new HashSet<>(PassingGradients.of(this));
    contents.forEach(
        (value, variable) -> {
          if (variable.role().mayBeNarrow()) {
            narrow.add(value);
          }
        });
    for (Node node : nodes) {
      for (int i = 0; i < node.outputs().size(); i++) {
        int alias = node.op().alias(i);
        if (alias != Op.OWN_MEMORY && narrow.contains(node.input(alias).id())) {
          narrow.add(node.output(i).id());
        }
      }
    }
    return narrow;
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
