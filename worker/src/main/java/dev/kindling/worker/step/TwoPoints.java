package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.optim.rule.Mezo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Writes a forward pass again at two points, node by node, so that both share each random number
 * and a weight beside itself is in memory only around the nodes that read it.
 *
 * <pre>
 *   y = Linear x, W        W+, W- = Perturb W
 *   l = CrossEntropy y  => y+ = Linear x+, W+;  y- = Linear x-, W-
 *                          AddLoss(0) y+;  AddLoss(1) y-
 * </pre>
 *
 * A node that reads nothing perturbed is written once, unless a later one adds to it in place: what
 * lies before the first trained parameter is the same at both points. Neighbours that read the same
 * parameters, such as the chunks of a head, share what was perturbed; a table that a model reads at
 * both ends is perturbed twice. Sums over chunks of a loss fall away, because {@link AddLoss} adds.
 */
final class TwoPoints {
  private record Pair(Value plus, Value minus) {}

  private final GraphBuilder once;
  private final GraphBuilder out;
  private final Mezo rule;
  private final long seed;
  private final int direction;
  private final Map<Integer, Variable> contents;
  private final Map<Integer, Pair> written = new HashMap<>();
  private final Set<Integer> losses = new HashSet<>();

  /** What an operation writes over: two points cannot share it. */
  private final Set<Integer> overwritten = new HashSet<>();

  /** Parameters that the last node with any read, beside themselves. */
  private Map<Param, Pair> perturbed = new HashMap<>();

  /**
   * @param once holds the forward pass, fused, its loss perhaps in chunks
   * @param out takes both
   */
  TwoPoints(GraphBuilder once, GraphBuilder out, Mezo rule, long seed, int direction) {
    this.once = once;
    this.out = out;
    this.rule = rule;
    this.seed = seed;
    this.direction = direction;
    Graph graph = once.graph();
    this.contents = graph.contents();
    for (Node node : once.nodes()) {
      for (int i = 0; i < node.outputs().size(); i++) {
        if (node.op().alias(i) != Op.OWN_MEMORY) {
          overwritten.add(node.input(node.op().alias(i)).id());
        }
      }
    }
  }

  /**
   * @param tokens the token count as it is at the moment
   * @param sums the loss sums as they are at the moment
   */
  void write(Function<GraphBuilder, Value> tokens, Function<GraphBuilder, Value> sums) {
    for (Node node : once.nodes()) {
      if (node.inputs().stream().anyMatch(input -> losses.contains(input.id()))) {
        node.outputs().forEach(output -> losses.add(output.id()));
        continue;
      }
      List<Pair> inputs = inputs(node);
      if (node.op() instanceof CrossEntropy) {
        Value targets = inputs.get(1).plus();
        int place = 2 * direction;
        out.add(
            new AddLoss(place), inputs.get(0).plus(), targets, sums.apply(out), tokens.apply(out));
        out.add(
            new AddLoss(place + 1),
            inputs.get(0).minus(),
            targets,
            sums.apply(out),
            tokens.apply(out));
        node.outputs().forEach(output -> losses.add(output.id()));
      } else {
        twice(node, inputs);
      }
    }
  }

  /** What a value of the forward pass is at plus and at minus, once it is written. */
  List<Value> at(Value value) {
    Pair pair = java.util.Objects.requireNonNull(written.get(value.id()));
    return List.of(pair.plus(), pair.minus());
  }

  private void twice(Node node, List<Pair> inputs) {
    List<Value> plus = out.add(node.op(), inputs.stream().map(Pair::plus).toArray(Value[]::new));
    boolean same =
        inputs.stream().allMatch(pair -> pair.plus().equals(pair.minus()))
            && node.outputs().stream().noneMatch(output -> overwritten.contains(output.id()));
    List<Value> minus =
        same ? plus : out.add(node.op(), inputs.stream().map(Pair::minus).toArray(Value[]::new));
    for (int i = 0; i < plus.size(); i++) {
      written.put(node.output(i).id(), new Pair(plus.get(i), minus.get(i)));
    }
  }

  private List<Pair> inputs(Node node) {
    List<Param> moving = new ArrayList<>();
    for (Value input : node.inputs()) {
      Param param = once.paramOf(input);
      if (param != null && Mezo.moves(param)) {
        moving.add(param);
      }
    }
    if (!moving.isEmpty() && !perturbed.keySet().containsAll(moving)) {
      perturbed = new HashMap<>();
      for (Param param : moving) {
        List<Value> both = rule.perturb(out, param, seed, direction);
        perturbed.put(param, new Pair(both.get(0), both.get(1)));
      }
    }
    return node.inputs().stream().map(this::input).toList();
  }

  private Pair input(Value value) {
    Pair pair = written.get(value.id());
    if (pair != null) {
      return pair;
    }
    Param param = once.paramOf(value);
    if (param != null && Mezo.moves(param)) {
      return java.util.Objects.requireNonNull(perturbed.get(param));
    }
    Value content =
        param != null
            ? out.master(param)
            : out.variable(java.util.Objects.requireNonNull(contents.get(value.id())));
    return new Pair(content, content);
  }
}
