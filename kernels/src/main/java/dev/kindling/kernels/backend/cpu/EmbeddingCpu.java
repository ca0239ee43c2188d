package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import java.nio.ByteBuffer;

/** Rows chosen by token ids, and their gradient. */
final class EmbeddingCpu {
  private EmbeddingCpu() {}

  static Runnable forward(Binding binding) {
    int rows = binding.inShape(0).dim(0);
    int bytes = binding.inShape(0).dim(1) * Float.BYTES;
    int tokens = binding.outShape(0).dim(0);
    ByteBuffer table = binding.inPiece(0).span().buffer();
    ByteBuffer output = binding.outPiece(0).span().buffer();
    Operand ids = binding.in(1);
    Workers workers = binding.workers();
    int grain = Grain.rows(binding.inShape(0).dim(1));
    Workers.Task task =
        (from, to, worker) -> {
          for (int t = from; t < to; t++) {
            output.put(t * bytes, table, checked(ids, t, rows) * bytes, bytes);
          }
        };
    return () -> workers.run(task, tokens, grain);
  }

  /** Cut by columns: every thread walks all tokens in order, so equal ids add in order of T. */
  static Runnable gradient(Binding binding) {
    int rows = binding.outShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    int tokens = binding.inShape(0).dim(0);
    Operand table = binding.out(0);
    Operand[] targets = lines(table, rows, width);
    Operand[] sources = lines(binding.in(0), tokens, width);
    Operand ids = binding.in(1);
    boolean fresh = !binding.op(EmbeddingGradient.class).accumulate();
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int t = 0; t < tokens; t++) {
            Operand target = targets[checked(ids, t, rows)];
            elements.add(target, sources[t], target, from, to);
          }
        };
    return () -> {
      if (fresh) {
        elements.fill(0f, table, 0, rows * width);
      }
      workers.run(task, width, Math.max(Grain.rows(tokens), 16));
    };
  }

  private static Operand[] lines(Operand matrix, int rows, int width) {
    Operand[] lines = new Operand[rows];
    for (int row = 0; row < rows; row++) {
      lines[row] = matrix.plus(row * width);
    }
    return lines;
  }

  private static int checked(Operand ids, int t, int rows) {
    int id = ids.getInt(t);
    if (id < 0 || id >= rows) {
      throw new InputException("Embedding: token id at position " + t, rows, id);
    }
    return id;
  }
}
