package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.PlainAttention;
import dev.kindling.kernels.testing.PoisonedRun;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Attention and its gradient on the GPU, as one graph over spoilt memory. */
public final class AttentionRun implements AutoCloseable {
  private final boolean documents;
  private final int tokens;
  private final PoisonedRun run;

  public AttentionRun(Backend backend, AttentionShape shape, int sequences, boolean documents) {
    this.documents = documents;
    tokens = sequences * shape.sequence();
    run = new PoisonedRun(backend, graph(shape));
  }

  private Graph graph(AttentionShape shape) {
    GraphBuilder b = new GraphBuilder();
    Value rows = b.variable(new Variable("rows", ValueType.i32(tokens), Role.INPUT));
    Value q = matrix(b, "q", shape.heads() * shape.headDim(), rows);
    Value k = matrix(b, "k", shape.kvHeads() * shape.headDim(), rows);
    Value v = matrix(b, "v", shape.kvHeads() * shape.headDim(), rows);
    Value dO = matrix(b, "dO", shape.heads() * shape.headDim(), rows);
    List<Value> forward;
    List<Value> gradient;
    Attention op = new Attention(shape, documents);
    AttentionGradient back = new AttentionGradient(shape, documents);
    if (documents) {
      Value ids = b.variable(new Variable("segments", ValueType.i32(tokens), Role.INPUT));
      forward = b.add(op, q, k, v, ids);
      gradient = b.add(back, q, k, v, forward.get(0), forward.get(1), dO, ids);
    } else {
      forward = b.add(op, q, k, v);
      gradient = b.add(back, q, k, v, forward.get(0), forward.get(1), dO);
    }
    b.output("o", forward.get(0));
    b.output("lse", forward.get(1));
    b.output("dq", gradient.get(0));
    b.output("dk", gradient.get(1));
    b.output("dv", gradient.get(2));
    return b.build();
  }

  private Value matrix(GraphBuilder b, String name, int columns, Value rows) {
    ValueType type = ValueType.f32(tokens, columns);
    return b.embedding(b.variable(new Variable(name, type, Role.PARAMETER)), rows);
  }

  /** Inputs are numbers that bf16 holds; {@code segments} only if there are documents. */
  public PlainAttention.Result evaluate(
      double[] q, double[] k, double[] v, double[] dO, double @Nullable [] segments) {
    Map<String, double[]> contents = new HashMap<>();
    contents.put("q", q);
    contents.put("k", k);
    contents.put("v", v);
    contents.put("dO", dO);
    contents.put("rows", IntStream.range(0, tokens).asDoubleStream().toArray());
    if (documents) {
      contents.put("segments", segments);
    }
    Map<String, double[]> after = run.run(contents, Float.NaN);
    return new PlainAttention.Result(
        Contents.at(after, "o"),
        Contents.at(after, "lse"),
        Contents.at(after, "dq"),
        Contents.at(after, "dk"),
        Contents.at(after, "dv"));
  }

  @Override
  public void close() {
    run.close();
  }
}
