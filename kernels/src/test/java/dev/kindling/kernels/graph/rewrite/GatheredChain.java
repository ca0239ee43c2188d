package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Placement;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.memory.MemoryPlan;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A chain of products whose square weights are gathered from pieces of two ranks. */
final class GatheredChain {
  static final int WIDTH = 64;
  static final int TOKENS = 4;

  /** Bytes of one whole weight. */
  static final long WHOLE = 4L * WIDTH * WIDTH;

  final GraphBuilder builder = new GraphBuilder(new Pieces());

  /** Output of each gather of forward to the weight's name, in order. */
  final Map<Value, String> gathered = new HashMap<>();

  /** Every weight in pieces, gathered for every use. */
  private final class Pieces implements Placement {
    @Override
    public Variable master(Param param) {
      return new Variable(param.name(), ValueType.f32(WIDTH * WIDTH / 2), Role.SHARD);
    }

    @Override
    public Value read(GraphBuilder b, Param param) {
      AllGather gather = new AllGather(Axis.DATA, 2, false, Optional.of(param.shape()));
      Value whole = b.add(gather, b.master(param)).get(0);
      gathered.put(whole, param.name());
      return whole;
    }
  }

  /** Forward and backward through {@code weights} products, or forward alone. */
  GatheredChain(int weights, boolean backward) {
    Value x = builder.variable(new Variable("x", ValueType.f32(TOKENS, WIDTH), Role.INPUT));
    for (int i = 0; i < weights; i++) {
      Shape shape = Shape.of(WIDTH, WIDTH);
      Param weight = new Param("w" + i, shape, Demand.whole(), Init.zeros(), true);
      x = builder.gelu(builder.linear(x, builder.param(weight)));
    }
    Value targets = builder.input("targets", Shape.of(TOKENS), DType.I32);
    Value loss = builder.crossEntropy(x, targets).lossSum();
    if (backward) {
      Autodiff.gradients(builder, loss);
    } else {
      builder.output("loss", loss);
    }
  }

  long peak() {
    return MemoryPlan.of(builder.graph()).liveBytesPeak();
  }

  /** Gathers and their reads as words: g0 is the gather of w0, u0 a read of it. */
  List<String> story() {
    Map<Integer, String> names = new HashMap<>();
    List<String> words = new ArrayList<>();
    for (Node node : builder.nodes()) {
      for (Value input : node.inputs()) {
        if (names.containsKey(input.id())) {
          words.add("u" + names.get(input.id()));
        }
      }
      if (node.op() instanceof AllGather) {
        Param param = java.util.Objects.requireNonNull(builder.paramOf(node.input(0)));
        String number = param.name().substring(1);
        names.put(node.output(0).id(), number);
        words.add("g" + number);
      }
    }
    return words;
  }
}
