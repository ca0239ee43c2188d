package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.SwiGlu;
import java.util.List;

/** Kernels of element.cu. */
final class ElementCuda {
  private static final int BLOCK_ELEMENTS = 4096;
  private static final int THREADS = 256;

  private ElementCuda() {}

  static void add(Binding b, Node node) {
    pointwise(b, node, "add", 2, 1);
  }

  static void gelu(Binding b, Node node) {
    pointwise(b, node, "gelu", 1, 1);
  }

  static void geluGradient(Binding b, Node node) {
    pointwise(b, node, "gelu_gradient", 2, 1);
  }

  static void swiGlu(Binding b, Node node) {
    pointwise(b, node, "swiglu", 2, 1);
  }

  /** Inputs, outputs, sizes, then a stride for each. */
  private static void pointwise(Binding b, Node node, String kernel, int inputs, int outputs) {
    Operand first = b.in(node, 0);
    for (int i = 0; i < inputs; i++) {
      first.expectElement(b.in(node, i), node);
    }
    for (int i = 0; i < outputs; i++) {
      first.expectElement(b.out(node, i), node);
    }
    Launch launch = b.launch(kernel + first.variant());
    for (int i = 0; i < inputs; i++) {
      launch.at(b.in(node, i).address());
    }
    for (int i = 0; i < outputs; i++) {
      launch.at(b.out(node, i).address());
    }
    launch.ints(first.rows(), first.columns());
    for (int i = 0; i < inputs; i++) {
      launch.ints(b.in(node, i).stride());
    }
    for (int i = 0; i < outputs; i++) {
      launch.ints(b.out(node, i).stride());
    }
    launch.grid(blocks(first), THREADS).ready();
  }

  /** Writes the activation again too where that is in the group. */
  static void swiGluGradient(Binding b, Node node) {
    Node first = b.group().nodes().get(0);
    boolean again = first.op() instanceof SwiGlu;
    long activation = again ? b.out(first, 0).address() : 0;
    int activationStride = again ? b.out(first, 0).stride() : 0;
    Operand gate = b.in(node, 0);
    Operand up = b.in(node, 1);
    Operand dy = b.in(node, 2);
    Operand dGate = b.out(node, 0);
    Operand dUp = b.out(node, 1);
    b.launch("swiglu_gradient" + gate.variant())
        .at(gate.address(), up.address(), dy.address(), dGate.address(), dUp.address())
        .at(activation)
        .ints(gate.rows(), gate.columns(), gate.stride(), up.stride(), dy.stride())
        .ints(dGate.stride(), dUp.stride(), activationStride)
        .grid(blocks(gate), THREADS)
        .ready();
  }

  private static long blocks(Operand operand) {
    return (operand.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
  }

  /** Between fp32 tensors, or from a stored activation to an fp32 variable. */
  static void copy(Binding b, Node node) {
    // A vector has no rows to move: one long one is cut into pieces like many tensors.
    boolean vector = node.input(0).shape().rank() == 1 && b.in(node, 0).element() == Element.F32;
    if (b.group().nodes().size() == 1 && !vector) {
      move(b, b.in(node, 0), b.out(node, 0));
      return;
    }
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      Operand to = b.out(each, 0);
      table.add(new TensorTable.Entry(to.address(), b.in(each, 0).address(), to.elements()));
    }
    b.launch("copy_tensors_f32", table).ready();
  }

  static void move(Binding b, Operand source, Operand target) {
    // Only matrices have rows apart from each other.
    boolean matrix = source.shape().rank() == 2;
    Operand from = matrix ? source : source.flat();
    Operand to = matrix ? target : target.flat();
    String kernel =
        switch (from.element()) {
          case BF16 -> to.element() == from.element() ? "copy_columns_bf16" : "cast_bf16_f32";
          case F32 -> to.element() == from.element() ? "copy_columns_f32" : "cast_f32_bf16";
          case I32 -> "copy_columns_f32"; // Bits move as they are.
        };
    b.launch(kernel)
        .at(from.address(), to.address())
        .ints(from.rows(), from.columns(), from.stride(), to.stride())
        .grid(blocks(from), THREADS)
        .ready();
  }

  /** What the kernels over tables write: a narrow tensor would be written past its end. */
  private static Operand wide(Operand operand, Node node) {
    if (operand.element() != Element.F32) {
      throw new DeviceException(
          "cuda: " + node + ": expected an fp32 tensor to write, found " + operand.element());
    }
    return operand;
  }

  static void fill(Binding b, Node node) {
    TensorTable table = new TensorTable();
    float value = Binding.op(node, Fill.class).value();
    for (Value output : node.outputs()) {
      Operand out = wide(b.at(output), node);
      table.add(new TensorTable.Entry(out.address(), 0, out.elements(), value));
    }
    b.launch("fill_tensors_f32", table).ready();
  }

  static void accumulate(Binding b, Node node) {
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      Operand sum = wide(b.out(each, 0), each);
      table.add(new TensorTable.Entry(sum.address(), b.in(each, 1).address(), sum.elements()));
    }
    b.launch("accumulate_tensors_f32", table).ready();
  }

  /** Makes the bf16 copies of these parameters again, after something else wrote the masters. */
  static void refreshCopies(Binding b, List<Value> parameters) {
    TensorTable table = new TensorTable();
    for (Value parameter : parameters) {
      long master = b.at(parameter).address();
      long copy = b.copyAddress(parameter);
      long elements = b.at(parameter).elements();
      table.add(
          new TensorTable.Entry(
              master, master, 0, 0, copy, elements, new float[0], 0, Element.F32));
    }
    b.launch("copy_tensors_f32", table).ready();
  }

  /** Every parameter that has a master, onto itself and into its bf16 copy. */
  static TensorTable copies(Addresses addresses, RoleArenas arenas) {
    TensorTable table = new TensorTable();
    for (Variable variable : arenas.masters()) {
      long master = addresses.address(variable);
      long copy = addresses.copyAddress(variable);
      long elements = variable.type().shape().elements();
      table.add(
          new TensorTable.Entry(
              master, master, 0, 0, copy, elements, new float[0], 0, Element.F32));
    }
    return table;
  }

  /** Makes the bf16 copies of all parameters again, after the host wrote the masters. */
  static Command refreshCopies(Engine engine, CudaMemory memory) {
    if (!memory.hasCopies()) {
      return () -> {};
    }
    TensorTable table = copies(memory, memory.declared());
    if (table.pieces() == 0) {
      return () -> {};
    }
    long address = engine.device().store(table.content(), "tensor table");
    return engine
        .launch("copy_tensors_f32")
        .grid(table.pieces(), TensorTable.PIECE_THREADS)
        .at(address, table.piecesAt(address))
        .ready();
  }
}
