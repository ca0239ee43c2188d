package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.ArrayList;
import java.util.List;

/**
 * o = softmax(q k^T / sqrt(C)) v, causal inside each sequence, query head h reads key head h / (H /
 * K). q [T, H * C], k and v [T, K * C], optionally segments I32 [T] (a token attends only to the
 * run of equal numbers that it ends) -> o [T, H * C], lse [T / sequence * H, sequence]. With a
 * window W query i of a sequence sees keys i - W + 1 to i (Child et al. 2019, 1904.10509; Mistral,
 * 2310.06825, section 2). Exact softmax in fp32.
 *
 * <p>Saves lse. Gradient: P = exp(S - lse); dV = P^T dO; dS = P * (dO V^T - rowsum(dO * O)); dQ =
 * dS K / sqrt(C); dK = dS^T Q / sqrt(C), K and V summed over the query heads of their group in
 * fixed order. After Dao 2023 (2307.08691), section 3.
 */
public record Attention(AttentionShape shape, boolean segments) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, segments ? 4 : 3);
    int tokens = Expect.matrix(this, inputs, 0).dim(0);
    check(this, shape, inputs, tokens);
    if (segments) {
      Expect.i32(this, inputs, 3, tokens);
    }
    return List.of(inputs.get(0), lse(shape, tokens));
  }

  static ValueType lse(AttentionShape shape, int tokens) {
    return ValueType.f32(tokens / shape.sequence() * shape.heads(), shape.sequence());
  }

  static void check(Op op, AttentionShape shape, List<ValueType> inputs, int tokens) {
    Expect.that(tokens % shape.sequence() == 0, op, "T=" + tokens + " is no multiple of sequence");
    Expect.f32(op, inputs, 0, tokens, shape.heads() * shape.headDim());
    Expect.f32(op, inputs, 1, tokens, shape.kvHeads() * shape.headDim());
    Expect.f32(op, inputs, 2, tokens, shape.kvHeads() * shape.headDim());
  }

  /** Visible pairs alone, documents not known: 2 products of H * C multiply-adds each. */
  @Override
  public long flops(List<ValueType> inputs) {
    return 2 * productFlops(shape, inputs);
  }

  /** One product over all visible pairs. */
  static long productFlops(AttentionShape shape, List<ValueType> inputs) {
    Shape q = inputs.get(0).shape();
    return 2 * q.elements() / shape.sequence() * shape.pairs();
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null || !(tape.wants(0) || tape.wants(1) || tape.wants(2))) {
      return;
    }
    List<Value> inputs = new ArrayList<>(node.inputs().subList(0, 3));
    inputs.addAll(List.of(node.output(0), node.output(1), dy));
    if (segments) {
      inputs.add(node.input(3));
    }
    List<Value> gradients =
        builder.add(new AttentionGradient(shape, segments), inputs.toArray(Value[]::new));
    for (int input = 0; input < 3; input++) {
      if (tape.wants(input)) {
        tape.deliver(input, gradients.get(input));
      }
    }
  }
}
