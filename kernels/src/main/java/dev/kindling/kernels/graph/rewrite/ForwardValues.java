package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which values of forward may be computed a second time, in a graph with gradients. */
final class ForwardValues {
  private static final Set<Class<? extends Op>> PURE =
      Set.of(
          Add.class,
          Attention.class,
          Dropout.class,
          Gelu.class,
          LayerNorm.class,
          Linear.class,
          LinearOnto.class,
          Magnitude.class,
          ResidualLayerNorm.class,
          ResidualRmsNorm.class,
          RmsNorm.class,
          Rope.class,
          Scale.class,
          SplitColumns.class,
          SwiGlu.class);
  private static final Set<Class<? extends Op>> SUMS =
      Set.of(Add.class, Embedding.class, ResidualLayerNorm.class, ResidualRmsNorm.class);

  private final List<Node> nodes;
  private final int begin;
  private final int end;
  private final Set<Integer> readLater = new HashSet<>();
  private final Map<Integer, Node> producers = new HashMap<>();

  private ForwardValues(List<Node> nodes, int begin, int end) {
    this.nodes = nodes;
    this.begin = begin;
    this.end = end;
    for (Node node : nodes.subList(end, nodes.size())) {
      node.inputs().forEach(input -> readLater.add(input.id()));
    }
    for (Node node : nodes.subList(0, end)) {
      node.outputs().forEach(output -> producers.put(output.id(), node));
    }
  }

  /** Forward ends behind the last loss; the first one tells where its own values begin. */
  static ForwardValues of(List<Node> nodes) {
    int first = 0;
    int end = 0;
    for (int i = 0; i < nodes.size(); i++) {
      if (nodes.get(i).op() instanceof CrossEntropyWithGradient) {
        first = end == 0 ? i : first;
        end = i + 1;
      }
    }
    return new ForwardValues(nodes, first, end);
  }

  boolean isEmpty() {
    return end == 0;
  }

  /** Index of the first node behind forward. */
  int end() {
    return end;
  }

  /** Value id to the node that writes it, for values that are not kept at this level. */
  Map<Integer, Node> repeatable(Recompute.Level level) {
    Set<Integer> kept = readByLoss();
    Map<Integer, Node> found =
        switch (level) {
          case NONE -> new HashMap<>();
          case ACTIVATIONS -> elements(kept, false);
          case ELEMENTS -> elements(kept, true);
          case BLOCKS -> insideBlocks(kept);
        };
    for (Node node : nodes.subList(0, begin)) {
      if (isWeight(node)) {
        found.put(node.output(0).id(), node);
      }
    }
    return found;
  }

  /** A weight that follows from parameters, which no level keeps: it is as large as they are. */
  static boolean isWeight(Node node) {
    return node.op() instanceof MaskedWeight;
  }

  /** What the head and the loss read: the first gradients want it at once. */
  private Set<Integer> readByLoss() {
    Set<Integer> kept = new HashSet<>();
    Node loss = nodes.get(begin);
    for (Value input : loss.inputs()) {
      kept.add(input.id());
      Node producer = producers.get(input.id());
      if (producer != null) {
        producer.inputs().forEach(read -> kept.add(read.id()));
      }
    }
    for (Node node : nodes.subList(begin, end)) {
      node.inputs().forEach(input -> kept.add(input.id()));
    }
    return kept;
  }

  /** Outputs of cheap operations whose inputs gradients read anyway. */
  private Map<Integer, Node> elements(Set<Integer> kept, boolean norms) {
    Map<Integer, Node> found = new HashMap<>();
    for (Node node : nodes.subList(0, begin)) {
      boolean activation = node.op() instanceof SwiGlu || node.op() instanceof Gelu;
      boolean norm = node.op() instanceof RmsNorm || node.op() instanceof LayerNorm;
      boolean residual = Recompute.normOfSum(node.op()) != null;
      if (activation || (norms && norm)) {
        add(found, node, node.output(0), node.inputs(), kept);
      } else if (norms && residual) {
        add(found, node, node.output(1), node.outputs().subList(0, 1), kept);
      }
    }
    return found;
  }

  private void add(
      Map<Integer, Node> found, Node node, Value value, List<Value> sources, Set<Integer> kept) {
    boolean alive =
        sources.stream()
            .allMatch(
                source ->
                    !producers.containsKey(source.id())
                        || (readLater.contains(source.id()) && !found.containsKey(source.id())));
    if (alive && !kept.contains(value.id())) {
      found.put(value.id(), node);
    }
  }

  /** All but the sum that each attention's block begins with, and what follows the last sum. */
  private Map<Integer, Node> insideBlocks(Set<Integer> kept) {
    int lastSum = -1;
    Set<Node> begins = new HashSet<>();
    for (int i = 0; i < begin; i++) {
      Op op = nodes.get(i).op();
      if (SUMS.contains(op.getClass())) {
        lastSum = i;
      } else if (op instanceof Attention && lastSum >= 0) {
        begins.add(nodes.get(lastSum));
      }
    }
    Map<Integer, Node> found = new HashMap<>();
    for (Node node : nodes.subList(0, Math.max(0, lastSum))) {
      if (PURE.contains(node.op().getClass())) {
        int first = begins.contains(node) ? 1 : 0;
        for (Value output : node.outputs().subList(first, node.outputs().size())) {
          if (!kept.contains(output.id())) {
            found.put(output.id(), node);
          }
        }
      }
    }
    return found;
  }
}
