package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * The factor every gradient is multiplied by: min(1, clip / (norm + 1e-6)) / tokenCount. Inputs
 * norm [1], tokenCount [1], step block, optionally lossSum [1] -> [1]. Clip of 0 or less means no
 * clipping. 0 when norm or lossSum is not finite or no token counts: the updates then leave
 * everything as it is, on all ranks alike.
 */
public record ClipScale() implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.that(inputs.size() == 3 || inputs.size() == 4, this, "expected 3 or 4 inputs");
    Expect.f32(this, inputs, 0, 1);
    Expect.f32(this, inputs, 1, 1);
    Expect.f32(this, inputs, 2, StepScalar.values().length);
    if (inputs.size() == 4) {
      Expect.f32(this, inputs, 3, 1);
    }
    return List.of(ValueType.f32(1));
  }
}
