package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.DynamicCode;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.Sgd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** Kernels of update.cu. */
final class UpdateCuda {
  private UpdateCuda() {}

  /** Every update of the group in one launch. */
  static void adamW(Binding b, Node node) {
    AdamW first = Binding.op(node, AdamW.class);
    boolean rounded = first.roundingKey().isPresent();
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      AdamW op = Binding.op(each, AdamW.class);
      float[] numbers = {op.beta1(), op.beta2(), op.eps(), op.weightDecay()};
      table.add(
          new TensorTable.Entry(
              rounded ? roundingKey(b, each, op.roundingKey()) : b.out(each, 0).address(),
              b.in(each, 1).address(),
              b.out(each, 1).address(),
              b.out(each, 2).address(),
              b.copyAddress(each.input(0)),
              each.output(0).shape().elements(),
              numbers,
              op.stateKey().orElse(0L),
              b.in(each, 1).element()));
    }
    String kernel = rounded ? "adamw_tensors_rounded" : "adamw_tensors";
    if (first.stateKey().isPresent()) {
      kernel += "_state" + b.out(node, 1).variant();
    }
    b.launch(kernel, table).at(b.in(node, 4).address(), b.in(node, 5).address()).ready();
  }

  /** Stands where the address of a master would. */
  private static long roundingKey(Binding b, Node node, Optional<Long> key) {
    if (!b.isBf16Alone(node.input(0))) {
      throw new DeviceException(
          "cuda: " + node + ": expected a parameter in bf16 alone, found one with an fp32 master");
    }
    return key.orElseThrow();
  }

  static void quantizedAdamW(Binding b, Node node) {
    boolean rounded = Binding.op(node, QuantizedAdamW.class).roundingKey().isPresent();
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      QuantizedAdamW op = Binding.op(each, QuantizedAdamW.class);
      float[] numbers = {op.beta1(), op.beta2(), op.eps(), op.weightDecay()};
      table.add(
          new TensorTable.Entry(
              rounded ? roundingKey(b, each, op.roundingKey()) : b.out(each, 0).address(),
              b.in(each, 1).address(),
              b.out(each, 1).address(),
              b.out(each, 2).address(),
              b.copyAddress(each.input(0)),
              each.output(0).shape().elements(),
              numbers,
              b.out(each, 3).address(),
              b.in(each, 1).element()));
    }
    b.launch(rounded ? "quantized_adamw_tensors_rounded" : "quantized_adamw_tensors", table)
        .at(b.in(node, 5).address(), b.in(node, 6).address())
        .at(b.constant(codes(), "codes of 8 bits"))
        .ready();
  }

  /** Numbers and limits of each code: {@code struct Code} of quantized.cu, twice. */
  private static ByteBuffer codes() {
    ByteBuffer table = ByteBuffer.allocateDirect(4 * 256 * Float.BYTES);
    table.order(ByteOrder.LITTLE_ENDIAN);
    for (DynamicCode code : List.of(DynamicCode.SIGNED, DynamicCode.UNSIGNED)) {
      for (float number : code.numbers()) {
        table.putFloat(number);
      }
      for (float limit : code.limits()) {
        table.putFloat(limit);
      }
      table.putFloat(0f);
    }
    return table.flip();
  }

  static void lion(Binding b, Node node) {
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      Lion op = Binding.op(each, Lion.class);
      float[] numbers = {op.beta1(), op.beta2(), op.weightDecay()};
      Operand param = b.out(each, 0);
      table.add(
          new TensorTable.Entry(
              param.address(),
              b.in(each, 1).address(),
              b.out(each, 1).address(),
              0,
              b.copyAddress(each.input(0)),
              param.elements(),
              numbers,
              0,
              b.in(each, 1).element()));
    }
    b.launch("lion_tensors", table).at(b.in(node, 3).address(), b.in(node, 4).address()).ready();
  }

  /** A block of threads for each run of elements with a moment of its own. */
  static void adamMini(Binding b, Node node) {
    AdamMini op = Binding.op(node, AdamMini.class);
    Operand param = b.out(node, 0);
    Operand gradient = b.in(node, 1);
    b.launch("adam_mini")
        .at(param.address(), gradient.address(), b.copyAddress(node.input(0)))
        .at(b.out(node, 1).address(), b.out(node, 2).address())
        .at(b.in(node, 4).address(), b.in(node, 5).address())
        .ints(op.block(), gradient.element() == Element.BF16 ? 1 : 0)
        .floats(op.beta1(), op.beta2(), op.eps(), op.weightDecay())
        .grid(param.elements() / op.block(), 256)
        .ready();
  }

  static void sgd(Binding b, Node node) {
    TensorTable table = new TensorTable();
    Sgd first = Binding.op(node, Sgd.class);
    boolean momentum = first.momentum() != 0;
    for (Node each : b.group().nodes()) {
      Sgd op = Binding.op(each, Sgd.class);
      Operand param = b.out(each, 0);
      float[] numbers = {op.momentum(), op.weightDecay(), op.nesterov() ? 1f : 0f};
      long buffer = momentum ? b.out(each, 1).address() : 0;
      table.add(
          new TensorTable.Entry(
              param.address(),
              b.in(each, 1).address(),
              buffer,
              0,
              b.copyAddress(each.input(0)),
              param.elements(),
              numbers,
              0,
              b.in(each, 1).element()));
    }
    int scale = momentum ? 3 : 2;
    b.launch("sgd_tensors", table)
        .at(b.in(node, scale).address(), b.in(node, scale + 1).address())
        .ready();
  }

  static void globalNorm(Binding b, Node node) {
    TensorTable table = new TensorTable();
    GlobalNorm op = Binding.op(node, GlobalNorm.class);
    int gradients = op.gradients(node.inputs().size());
    for (int i = 0; i < gradients; i++) {
      Operand gradient = b.in(node, i);
      table.add(
          new TensorTable.Entry(0, gradient.address(), gradient.elements())
              .reading(gradient.element()));
    }
    long partials = b.scratch((long) table.pieces() * Double.BYTES);
    b.launch("global_norm_partials", table).at(partials).ready();
    long tokenCount = op.mean() ? b.in(node, gradients).address() : 0;
    b.launch("global_norm_total")
        .at(partials, tokenCount, b.out(node, 0).address())
        .ints(table.pieces())
        .grid(1, 1024)
        .ready();
  }

  static void clipScale(Binding b, Node node) {
    long lossSum = node.inputs().size() == 4 ? b.in(node, 3).address() : 0;
    b.launch("clip_scale")
        .at(b.in(node, 0).address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(lossSum, b.out(node, 0).address())
        .grid(1, 1)
        .ready();
  }
}
