package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * y = x / (1 - rate) where the draw of the element, uniform in [0, 1), is at least {@code rate},
 * else 0. x [T, D] fp32; place I32 [2]: low and high word of the number that row 0 has in the whole
 * run.
 *
 * <p>The draw of element i = (place + row) * D + column is 32-bit word i mod 4 of block i / 4 of
 * Philox stream {@code key}: a pure function of where the token stands in the run, so the same for
 * any number of ranks and micro-batches, when backward or a recomputation asks again, and after a
 * resume. Nothing is stored. Gradient: the same operation on dy. After Srivastava et al. 2014.
 *
 * @param rate in [0, 1)
 * @param key stream; whoever writes the sentence derives it from the seed and a name
 */
public record Dropout(float rate, long key) implements Op {
  /** Input variable with the place of the micro-batch, which the host writes before each run. */
  public static final String PLACE = "dropout_place";

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Expect.matrix(this, inputs, 0);
    Expect.that(rate >= 0 && rate < 1, this, "rate " + rate);
    Expect.same(this, 1, ValueType.i32(2), inputs.get(1));
    return List.of(inputs.get(0));
  }

  /** What a kept element is multiplied by. */
  public float gain() {
    return 1f / (1f - rate);
  }

  /** Smallest 32-bit draw, unsigned, that keeps an element. */
  public long threshold() {
    return (long) Math.ceil(rate * 0x1.0p32);
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return input == 0;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy != null && tape.wants(0)) {
      tape.deliver(0, builder.add(this, dy, node.input(1)).get(0));
    }
  }
}
