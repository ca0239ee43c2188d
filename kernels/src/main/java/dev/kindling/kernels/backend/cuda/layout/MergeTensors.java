package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.Subspace;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One launch over many tensors: all updates of equal constants (each tensor may have its own weight
 * decay and stretch), all sketches for them, and runs of copies or of sums between fp32 variables.
 */
final class MergeTensors {
  private MergeTensors() {}

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    Map<List<Object>, List<Node>> updates = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      List<Object> key = updateKey(node, storage);
      if (key != null) {
        updates.computeIfAbsent(key, unused -> new ArrayList<>()).add(node);
      }
    }
    updates.values().forEach(nodes -> add(Group.Kind.UPDATE, nodes, candidates));
    List<Node> run = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (!continues(run, node)) {
        add(Group.Kind.TENSORS, run, candidates);
        run.clear();
      }
      if (merges(node, storage)) {
        run.add(node);
      }
    }
    add(Group.Kind.TENSORS, run, candidates);
  }

  private static void add(Group.Kind kind, List<Node> nodes, List<Group> candidates) {
    if (nodes.size() > 1) {
      candidates.add(new Group(kind, nodes));
    }
  }

  /** What updates of one launch have in common: constants, scale and step block. */
  private static @Nullable List<Object> updateKey(Node node, Storage storage) {
    int count = node.inputs().size();
    if (node.op() instanceof AdamW op) {
      return List.of(
          op.beta1(),
          op.beta2(),
          op.eps(),
          op.roundingKey().isPresent(),
          op.stateKey().isPresent(),
          node.inputs().subList(count - 2, count));
    }
    if (node.op() instanceof QuantizedAdamW op) {
      return List.of(
          QuantizedAdamW.class,
          op.beta1(),
          op.beta2(),
          op.eps(),
          op.roundingKey().isPresent(),
          node.inputs().subList(count - 2, count));
    }
    if (node.op() instanceof Lion op) {
      return List.of(Lion.class, op.beta1(), op.beta2(), node.inputs().subList(count - 2, count));
    }
    if (node.op() instanceof Sgd op) {
      return List.of(op.momentum(), op.nesterov(), node.inputs().subList(count - 2, count));
    }
    if (node.op() instanceof OuterUpdate op) {
      return List.of(op, node.inputs().subList(count - 2, count));
    }
    if (node.op() instanceof Depart op) {
      return List.of(op);
    }
    if (node.op() instanceof Sketch op) {
      return sketchKey(node, op, storage);
    }
    if (node.op() instanceof SketchMoments op) {
      return List.of(op.beta1(), op.beta2(), op.eps(), op.perChannel(), node.input(count - 1));
    }
    if (node.op() instanceof Subspace op) {
      return List.of(op, node.input(count - 1));
    }
    if (node.op() instanceof ScaledUpdate op) {
      return List.of(
          op.perChannel(),
          op.front(),
          op.growth(),
          op.roundingKey().isPresent(),
          node.inputs().subList(count - 2, count));
    }
    return null;
  }

  /**
   * Sketches wait for each other where their moments do, else each would keep its gradient alive
   * until the last one.
   */
  private static @Nullable List<Object> sketchKey(Node node, Sketch op, Storage storage) {
    for (Storage.Reading reading : storage.readings(node.output(1))) {
      Node reader = reading.node();
      if (reader.op() instanceof SketchMoments) {
        return List.of(
            Sketch.class,
            op.rank(),
            op.interval(),
            storage.element(node.input(0)),
            node.input(1),
            reader.input(reader.inputs().size() - 1));
      }
    }
    return null;
  }

  private static boolean merges(Node node, Storage storage) {
    boolean elementwise = node.op() instanceof Copy || node.op() instanceof Accumulate;
    return elementwise
        && node.inputs().stream().allMatch(input -> storage.variable(input) != null)
        && node.inputs().stream().allMatch(input -> storage.element(input) == Element.F32);
  }

  private static boolean continues(List<Node> run, Node node) {
    for (Node earlier : run) {
      Class<? extends Op> kind = earlier.op().getClass();
      List<Value> touched = new ArrayList<>(earlier.inputs());
      touched.addAll(earlier.outputs());
      if (!kind.equals(node.op().getClass())
          || node.inputs().stream().anyMatch(touched::contains)) {
        return false;
      }
    }
    return true;
  }
}
