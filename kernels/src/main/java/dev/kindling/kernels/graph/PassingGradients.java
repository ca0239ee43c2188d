package dev.kindling.kernels.graph;

import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.Subspace;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Gradients of matrices that one product completes and that all-reduces, norms and updates alone
 * read. A device with a narrow precision narrows them, as it does those in variables of role {@link
 * Role#FRESH_GRADIENT}. A sum of several products stays wide, and so does what anything else reads.
 */
public final class PassingGradients {
  /** What takes such a gradient as narrow as a variable holds it. */
  private static final Set<Class<? extends Op>> READERS =
      Set.of(
          Adafactor.class,
          AdamMini.class,
          AdamW.class,
          AllReduce.class,
          FactoredMoments.class,
          FactoredRms.class,
          GlobalNorm.class,
          Lion.class,
          Momentum.class,
          Project.class,
          QuantizedAdamW.class,
          ScaledUpdate.class,
          Sgd.class,
          Sketch.class,
          Subspace.class);

  private PassingGradients() {}

  /** Ids of these values, those that an all-reduce made of them included. */
  public static Set<Integer> of(Graph graph) {
    Map<Integer, Integer> product = new HashMap<>();
    Set<Integer> wide = new HashSet<>();
    for (Node node : graph.nodes()) {
      if (!READERS.contains(node.op().getClass())) {
        node.inputs().forEach(input -> wide.add(product.getOrDefault(input.id(), input.id())));
      }
      for (int i = 0; i < node.outputs().size(); i++) {
        int from = source(node, i);
        if (from != Op.OWN_MEMORY && product.containsKey(node.input(from).id())) {
          product.put(node.output(i).id(), product.get(node.input(from).id()));
        }
      }
      if (node.op() instanceof LinearWeightGradient gradient && !gradient.inPlace()) {
        product.put(node.output(0).id(), node.output(0).id());
      }
    }
    product.values().removeAll(wide);
    return Set.copyOf(product.keySet());
  }

  /** Input whose numbers an output holds, or the sum of whose over all ranks. */
  private static int source(Node node, int output) {
    return node.op() instanceof AllReduce ? output : node.op().alias(output);
  }
}
