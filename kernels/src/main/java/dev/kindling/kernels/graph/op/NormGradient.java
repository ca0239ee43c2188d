package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The gradient sentence that the four norms share. */
final class NormGradient {
  static final boolean PLAIN = false;
  static final boolean RESIDUAL = true;

  private NormGradient() {}

  static void rms(GraphBuilder builder, Node node, Tape tape, boolean residual) {
    int gain = residual ? 2 : 1;
    Value dy = tape.upstream(residual ? 1 : 0);
    if (dy == null) {
      onlySum(tape, residual);
      return;
    }
    Value x = residual ? node.output(0) : node.input(0);
    Value carried = residual ? tape.upstream(0) : tape.takePending(0);
    Accumulation mode = Accumulation.of(tape, gain);
    List<Value> inputs =
        new ArrayList<>(List.of(x, node.input(gain), node.output(residual ? 2 : 1), dy));
    addPresent(inputs, carried);
    addPresent(inputs, mode == Accumulation.INTO_VARIABLE ? tape.accumulator(gain) : null);
    List<Value> outputs =
        builder.add(new RmsNormGradient(carried != null, mode), inputs.toArray(Value[]::new));
    finish(tape, residual, outputs.get(0));
    if (mode == Accumulation.FRESH) {
      tape.deliver(gain, outputs.get(1));
    }
  }

  static void layer(GraphBuilder builder, Node node, Tape tape, boolean residual) {
    int gain = residual ? 2 : 1;
    Value dy = tape.upstream(residual ? 1 : 0);
    if (dy == null) {
      onlySum(tape, residual);
      return;
    }
    Value x = residual ? node.output(0) : node.input(0);
    Value carried = residual ? tape.upstream(0) : tape.takePending(0);
    Accumulation gainMode = Accumulation.of(tape, gain);
    Accumulation biasMode = Accumulation.of(tape, gain + 1);
    List<Value> inputs =
        new ArrayList<>(List.of(x, node.input(gain), node.output(residual ? 2 : 1), dy));
    addPresent(inputs, carried);
    addPresent(inputs, gainMode == Accumulation.INTO_VARIABLE ? tape.accumulator(gain) : null);
    addPresent(inputs, biasMode == Accumulation.INTO_VARIABLE ? tape.accumulator(gain + 1) : null);
    LayerNormGradient op = new LayerNormGradient(carried != null, gainMode, biasMode);
    List<Value> outputs = builder.add(op, inputs.toArray(Value[]::new));
    finish(tape, residual, outputs.get(0));
    if (gainMode == Accumulation.FRESH) {
      tape.deliver(gain, outputs.get(1));
    }
    if (biasMode == Accumulation.FRESH) {
      tape.deliver(gain + 1, outputs.get(gainMode == Accumulation.NONE ? 1 : 2));
    }
  }

  private static void addPresent(List<Value> inputs, @Nullable Value value) {
    if (value != null) {
      inputs.add(value);
    }
  }

  /** Both summands receive the same value, so it may not be written over. */
  private static void finish(Tape tape, boolean residual, Value dx) {
    if (!residual) {
      if (tape.wants(0)) {
        tape.deliver(0, dx);
      }
      return;
    }
    for (int input = 0; input < 2; input++) {
      if (tape.wants(input)) {
        tape.pass(input, dx);
      }
    }
  }

  private static void onlySum(Tape tape, boolean residual) {
    Value carried = residual ? tape.upstream(0) : null;
    if (carried != null) {
      finish(tape, residual, carried);
    }
  }
}
