package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * What a weight is, where products read. Input p of any shape -> y = p, of the same type; p stays
 * as it is.
 *
 * <p>A weight that some program uploads, and that a device stores in bf16 alone, lies in
 * page-locked memory of the host: y is then a copy on the device for as long as its readers need
 * it, made beside the main stream, and an update of p works on the host's memory through the bus.
 * Everywhere else it is a copy. No arithmetic: the same bits wherever p lies.
 *
 * <p>No gradient: steps with gradients keep their weights where products read them.
 */
public record Upload() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.f32(this, inputs, 0);
    return List.of(inputs.get(0));
  }
}
