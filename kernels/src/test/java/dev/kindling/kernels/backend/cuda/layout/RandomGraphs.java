package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Random graphs of the operations that the rules look at, over matrices [4, 8 to 32]. */
final class RandomGraphs {
  private static final int TOKENS = 4;

  private final SplittableRandom random;
  private final GraphBuilder builder = new GraphBuilder();
  private final List<Value> values = new ArrayList<>();
  private final List<Value> weights = new ArrayList<>();

  /** Of each weight; the contents that the next sum goes to. */
  private final List<Value> gradients = new ArrayList<>();

  private final Value positions;

  private RandomGraphs(long seed) {
    random = new SplittableRandom(seed);
    positions = builder.input("positions", Shape.of(TOKENS), dev.kindling.kernels.graph.DType.I32);
    for (int i = 0; i < 6; i++) {
      Shape shape = Shape.of(8 * (1 + random.nextInt(2)), 8 * (1 + random.nextInt(2)));
      String name = "w" + i;
      weights.add(builder.param(new Param(name, shape, Demand.whole(), Init.zeros(), true)));
      Variable gradient =
          new Variable(
              "grad/" + name,
              new ValueType(shape, dev.kindling.kernels.graph.DType.F32),
              Role.GRADIENT);
      gradients.add(builder.variable(gradient));
    }
    for (int width : List.of(8, 16)) {
      ValueType type = ValueType.f32(TOKENS, width);
      Value input = builder.variable(new Variable("in" + width, type, Role.INPUT));
      values.add(input);
      values.add(builder.gelu(input));
    }
  }

  static Graph of(long seed) {
    RandomGraphs graphs = new RandomGraphs(seed);
    for (int i = 0; i < 40; i++) {
      graphs.step();
    }
    for (int i = 0; i < 3; i++) {
      graphs.builder.output("out" + i, graphs.pick());
    }
    return graphs.builder.build();
  }

  private void step() {
    Value a = pick();
    Value b = like(a);
    switch (random.nextInt(14)) {
      case 0 -> values.add(builder.add(a, b));
      case 1 -> values.add(builder.gelu(a));
      case 2 -> split(a);
      case 3 -> concat(a);
      case 4 -> values.add(builder.rope(a, positions, 8, 100));
      case 5, 6 -> linears(a);
      case 7 -> inputGradients(a);
      case 8 -> values.addAll(builder.add(new SwiGluGradient(), a, b, like(a)));
      case 9 -> values.add(builder.add(new GeluGradient(), b, a).get(0));
      case 10 -> values.addAll(builder.add(new AllReduce(Axis.DATA, false), a));
      case 11 -> scatterAndGather(a);
      case 12 -> inPlace(a);
      default -> {
        if (!a.equals(b)) {
          values.remove(a);
          values.add(builder.add(new Accumulate(), a, b).get(0));
        }
      }
    }
  }

  /** With other nodes between the two, so that both are under way at times. */
  private void scatterAndGather(Value a) {
    Value shard = builder.add(new ReduceScatter(Axis.DATA, 2), a).get(0);
    values.add(builder.gelu(pick()));
    values.addAll(builder.add(new AllGather(Axis.DATA, 2, false), shard));
    values.addAll(builder.add(new AllToAll(Axis.DATA, 2), a));
  }

  /** Of a value that nobody else may read afterwards, and of one of the gradients. */
  private void inPlace(Value a) {
    int index = random.nextInt(gradients.size());
    gradients.set(index, builder.add(new AllReduce(Axis.DATA), gradients.get(index)).get(0));
    values.remove(a);
    values.addAll(builder.add(new Broadcast(Axis.DATA, 1), a));
  }

  private void split(Value a) {
    int width = a.shape().dim(1);
    if (width > 8) {
      values.addAll(builder.splitColumns(a, 8, width - 8));
    }
  }

  private void concat(Value a) {
    Value b = pick();
    if (a.shape().dim(1) + b.shape().dim(1) <= 32) {
      values.addAll(builder.add(new ConcatColumns(), a, b));
    }
  }

  /** Products of one matrix with some weights, and their weight gradients. */
  private void linears(Value x) {
    for (int i = 0; i < weights.size(); i++) {
      if (weights.get(i).shape().dim(1) == x.shape().dim(1) && random.nextInt(3) > 0) {
        Value y = builder.linear(x, weights.get(i));
        values.add(y);
        if (random.nextInt(2) == 0) {
          LinearWeightGradient op = new LinearWeightGradient(WeightLayout.OUT_IN, true);
          gradients.set(i, builder.add(op, x, like(y), gradients.get(i)).get(0));
        }
      }
    }
  }

  /** A sum of input gradients over some weights. */
  private void inputGradients(Value dy) {
    Value sum = null;
    for (Value weight : weights) {
      if (weight.shape().dim(0) != dy.shape().dim(1)
          || (sum != null && sum.shape().dim(1) != weight.shape().dim(1))) {
        continue;
      }
      LinearInputGradient op = new LinearInputGradient(WeightLayout.OUT_IN, sum != null);
      Value piece = like(dy);
      if (sum == null) {
        sum = builder.add(op, piece, weight).get(0);
      } else if (!piece.equals(sum)) {
        sum = builder.add(op, piece, weight, sum).get(0);
      }
    }
    if (sum != null) {
      values.add(sum);
    }
  }

  private Value pick() {
    return values.get(random.nextInt(values.size()));
  }

  private Value like(Value a) {
    List<Value> same = values.stream().filter(value -> value.type().equals(a.type())).toList();
    return same.get(random.nextInt(same.size()));
  }
}
