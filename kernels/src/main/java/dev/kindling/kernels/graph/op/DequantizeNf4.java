package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * A frozen matrix as products read it: w = level(code) * a, a = number(scale code) * group scale +
 * offset. Inputs codes, scales, statistics as {@link Nf4} stores them -> w of this shape, fp32
 * (bf16 where a device keeps activations in it, rounded once). Each product rounds by itself, so
 * that all devices have the same bits.
 *
 * <p>The output is a temporary of one product: {@link
 * dev.kindling.kernels.graph.rewrite.DequantizeAgain} lets backward make it a second time. No
 * gradient: nobody trains what is packed. After Dettmers et al. 2023 (QLoRA, 2305.14314), eq. 5 and
 * 6.
 */
public record DequantizeNf4(Shape shape) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 3);
    Expect.that(shape.rank() == 2, this, "expected a matrix, found " + shape);
    long elements = shape.elements();
    Expect.same(this, 0, Nf4.codes(elements), inputs.get(0));
    Expect.same(this, 1, Nf4.scales(elements), inputs.get(1));
    Expect.same(this, 2, Nf4.statistics(elements), inputs.get(2));
    return List.of(Linear.type(shape));
  }
}
