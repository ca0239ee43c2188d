package dev.kindling.kernels.testing;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.random.Philox;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Two families with two layers, small enough for finite differences of every parameter. */
public record TinyModels(int tokens, int sequence, int width, int vocabulary, boolean segments) {
  private static final float EPS = 1e-5f;

  /** Llama: grouped heads, rope, gated MLP, tied embedding. */
  public Graph llama(Function<String, Demand> demands) {
    GraphBuilder b = new GraphBuilder();
    Writer w = new Writer(b, demands);
    AttentionShape shape = new AttentionShape(2, 1, width / 2, sequence);
    Value table = w.param("wte", vocabulary, width);
    Value x = b.embedding(table, w.integers("ids"));
    Value positions = w.integers("positions");
    Value documents = segments ? w.integers("segments") : null;
    for (int layer = 0; layer < 2; layer++) {
      String p = "h" + layer + ".";
      Value y = b.rmsNorm(x, w.param(p + "norm1", width), EPS);
      Value q = b.rope(b.linear(y, w.param(p + "q", width, width)), positions, width / 2, 100);
      Value k = b.rope(b.linear(y, w.param(p + "k", width / 2, width)), positions, width / 2, 100);
      Value v = b.linear(y, w.param(p + "v", width / 2, width));
      Value o = b.attention(q, k, v, documents, shape);
      x = b.add(x, b.linear(o, w.param(p + "o", width, width)));
      Value z = b.rmsNorm(x, w.param(p + "norm2", width), EPS);
      Value gate = b.linear(z, w.param(p + "gate", 3 * width, width));
      Value up = b.linear(z, w.param(p + "up", 3 * width, width));
      x = b.add(x, b.linear(b.swiGlu(gate, up), w.param(p + "down", width, 3 * width)));
    }
    Value logits = b.linear(b.rmsNorm(x, w.param("norm", width), EPS), table);
    return finish(b, logits, w);
  }

  /** GPT-2: learned positions, joint query-key-value, biases, tied embedding. */
  public Graph gpt2(Function<String, Demand> demands) {
    GraphBuilder b = new GraphBuilder();
    Writer w = new Writer(b, demands);
    AttentionShape shape = new AttentionShape(2, 2, width / 2, sequence);
    Value table = w.param("wte", vocabulary, width);
    Value places = b.embedding(w.param("wpe", sequence, width), w.integers("positions"));
    Value x = b.add(b.embedding(table, w.integers("ids")), places);
    for (int layer = 0; layer < 2; layer++) {
      String p = "h" + layer + ".";
      Value y = b.layerNorm(x, w.param(p + "g1", width), w.param(p + "b1", width), EPS);
      Value joint =
          b.linearInOut(y, w.param(p + "qkv", width, 3 * width), w.param(p + "qkvb", 3 * width));
      List<Value> qkv = b.splitColumns(joint, width, width, width);
      Value o = b.attention(qkv.get(0), qkv.get(1), qkv.get(2), null, shape);
      x = b.add(x, b.linearInOut(o, w.param(p + "o", width, width), w.param(p + "ob", width)));
      Value z = b.layerNorm(x, w.param(p + "g2", width), w.param(p + "b2", width), EPS);
      Value f =
          b.linearInOut(z, w.param(p + "fc", width, 4 * width), w.param(p + "fcb", 4 * width));
      x =
          b.add(
              x,
              b.linearInOut(
                  b.gelu(f), w.param(p + "pr", 4 * width, width), w.param(p + "prb", width)));
    }
    Value normed = b.layerNorm(x, w.param("g", width), w.param("b", width), EPS);
    return finish(b, b.linear(normed, table), w);
  }

  private Graph finish(GraphBuilder b, Value logits, Writer w) {
    Autodiff.gradients(b, b.crossEntropy(logits, w.integers("targets")).lossSum());
    return b.build();
  }

  /** Inputs and parameters, fp32-exact. */
  public Map<String, double[]> contents(Graph graph, long seed) {
    Map<String, double[]> contents = new HashMap<>();
    for (Param param : graph.params()) {
      double[] values = new double[(int) param.shape().elements()];
      long key = seed * 31 + param.name().hashCode();
      boolean gain = param.shape().rank() == 1;
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) ((gain ? 1 : 0) + 0.3 * Philox.normal(key, i));
      }
      contents.put(param.name(), values);
    }
    contents.put("ids", integers(i -> (i * i + 3 * i) % vocabulary));
    contents.put("positions", integers(i -> i % sequence));
    contents.put("segments", integers(i -> i % sequence / 3));
    contents.put("targets", integers(i -> i % 5 == 4 ? -100 : (i * 5 + 1) % vocabulary));
    return contents;
  }

  private double[] integers(java.util.function.IntUnaryOperator law) {
    return java.util.stream.IntStream.range(0, tokens).map(law).asDoubleStream().toArray();
  }

  private final class Writer {
    private final GraphBuilder builder;
    private final Function<String, Demand> demands;

    Writer(GraphBuilder builder, Function<String, Demand> demands) {
      this.builder = builder;
      this.demands = demands;
    }

    Value param(String name, int... dims) {
      @Nullable Demand demand = demands.apply(name);
      return builder.param(new Param(name, Shape.of(dims), demand, Init.zeros(), true));
    }

    Value integers(String name) {
      return builder.input(name, Shape.of(tokens), DType.I32);
    }
  }
}
