package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Node;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Nodes that one launch runs.
 *
 * @param nodes one or more, consecutive in the graph of the layout
 */
public record Group(Kind kind, List<Node> nodes) {
  /** What the launch is. */
  public enum Kind {
    /** One node by the kernel of its operation. */
    NODE,
    /** One node that is a choice of storage alone: nothing runs. */
    VIEW,
    /**
     * Linear nodes of one x whose weights lie side by side; the outputs are column ranges of one
     * matrix, in the order of the nodes.
     */
    LINEAR,
    /**
     * LinearInputGradient nodes that add up to one dx, weights and dy side by side. The nodes are
     * in order of dependence, not of columns: see {@link Layout#byColumns}. Only the output of the
     * last is written; the first accumulates if it says so.
     */
    LINEAR_INPUT_GRADIENT,
    /**
     * LinearWeightGradient nodes of one x, dy and gradients side by side, in order of the nodes.
     */
    LINEAR_WEIGHT_GRADIENT,
    /** Linear, then Gelu; the Linear's output is written too if it is stored. */
    LINEAR_GELU,
    /** LinearInputGradient, then GeluGradient; the gradient between them is not stored. */
    LINEAR_INPUT_GRADIENT_GELU,
    /** SwiGlu, then SwiGluGradient of the same gate and up. */
    SWIGLU_GRADIENT,
    /** LayerNormGradient, then the BiasGradient of its dx. */
    LAYER_NORM_GRADIENT_BIAS,
    /** Updates, or sketches for them, of equal constants but for weight decay: many tensors. */
    UPDATE,
    /** Copy nodes, or Accumulate nodes, of fp32 variables, independent of each other. */
    TENSORS
  }

  public Group {
    nodes = List.copyOf(nodes);
  }

  /** Whether outputs of the first node may lie over inputs of it as its operation says. */
  boolean mayReuse() {
    return kind == Kind.NODE || kind == Kind.LAYER_NORM_GRADIENT_BIAS;
  }

  /** The last node: the one whose outputs leave the group in a chain. */
  public Node last() {
    return nodes.get(nodes.size() - 1);
  }

  @Override
  public String toString() {
    return kind
        + " "
        + nodes.stream()
            .map(node -> node.index() + ": " + node)
            .collect(Collectors.joining("; ", "{", "}"));
  }
}
