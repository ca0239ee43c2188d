package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.ActivationKernels;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.Fill;
import java.util.ArrayList;
import java.util.List;

/** Operations that treat every element alike. */
final class ElementCpu {
  private ElementCpu() {}

  static Runnable add(Binding binding) {
    ElementKernels elements = binding.rows().elements();
    Operand a = binding.in(0);
    Operand b = binding.in(1);
    Operand sum = binding.out(0);
    return each(binding, (from, to, worker) -> elements.add(a, b, sum, from, to));
  }

  static Runnable accumulate(Binding binding) {
    return add(binding);
  }

  static Runnable copy(Binding binding) {
    ElementKernels elements = binding.rows().elements();
    Operand from = binding.in(0);
    Operand to = binding.out(0);
    return each(binding, (first, last, worker) -> elements.copy(from, to, first, last));
  }

  static Runnable swiGlu(Binding binding) {
    ActivationKernels activations = binding.rows().activations();
    Operand gate = binding.in(0);
    Operand up = binding.in(1);
    Operand y = binding.out(0);
    return each(binding, (from, to, worker) -> activations.swiGlu(gate, up, y, from, to));
  }

  static Runnable swiGluGradient(Binding binding) {
    ActivationKernels activations = binding.rows().activations();
    Operand gate = binding.in(0);
    Operand up = binding.in(1);
    Operand dy = binding.in(2);
    Operand dgate = binding.out(0);
    Operand dup = binding.out(1);
    return each(
        binding,
        (from, to, worker) -> activations.swiGluBackward(dy, gate, up, dgate, dup, from, to));
  }

  static Runnable gelu(Binding binding) {
    ActivationKernels activations = binding.rows().activations();
    Operand x = binding.in(0);
    Operand y = binding.out(0);
    return each(binding, (from, to, worker) -> activations.gelu(x, y, from, to));
  }

  static Runnable geluGradient(Binding binding) {
    ActivationKernels activations = binding.rows().activations();
    Operand x = binding.in(0);
    Operand dy = binding.in(1);
    Operand dx = binding.out(0);
    return each(binding, (from, to, worker) -> activations.geluBackward(dy, x, dx, from, to));
  }

  private static Runnable each(Binding binding, Workers.Task task) {
    Workers workers = binding.workers();
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  /**
   * Zero is also what the padding holds, so neighbours are filled in one sweep; other values are
   * not.
   */
  static Runnable fill(Binding binding) {
    float value = binding.op(Fill.class).value();
    List<Piece> pieces = new ArrayList<>();
    for (int i = 0; i < binding.inputs(); i++) {
      pieces.add(binding.inPiece(i));
    }
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    List<Runnable> sweeps = new ArrayList<>();
    for (Piece piece : value == 0f ? Piece.merge(pieces) : pieces) {
      Operand target = Binding.operand(piece);
      int count = (int) (piece.bytes() / Float.BYTES);
      Workers.Task task = (from, to, worker) -> elements.fill(value, target, from, to);
      sweeps.add(() -> workers.run(task, count, Grain.ELEMENTS));
    }
    return Sequence.of(sweeps);
  }
}
