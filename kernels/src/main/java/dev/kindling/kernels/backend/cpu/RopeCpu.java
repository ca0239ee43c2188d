package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.cpu.vector.AttentionKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.RopeTable;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.memory.Span;
import java.util.HashMap;
import java.util.Map;

/**
 * Rotary embedding with one table of cosines and sines per kind, shared by the nodes of a program.
 */
final class RopeCpu implements CpuKernel, AutoCloseable {
  private record Kind(int positions, int headDim, RopeFrequencies frequencies) {
    Span fill() {
      Span span = Span.allocate((long) positions * headDim * Float.BYTES);
      RopeTable.fill(new Operand(span.buffer(), 0), positions, frequencies.ofHead(headDim));
      return span;
    }
  }

  private final Map<Kind, Span> tables = new HashMap<>();

  @Override
  public Runnable bind(Binding binding) {
    Rope op = binding.op(Rope.class);
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    int limit = op.positions(tokens);
    Kind kind = new Kind(limit, op.headDim(), op.frequencies());
    Span span = tables.computeIfAbsent(kind, Kind::fill);
    Operand table = new Operand(span.buffer(), 0);
    AttentionKernels attention = binding.rows().attention();
    Operand x = binding.in(0);
    Operand y = binding.out(0);
    Operand positions = binding.in(1);
    int heads = width / op.headDim();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          check(positions, limit, from, to);
          attention.rope(
              x, y, width, heads, op.headDim(), positions, table, op.inverse(), from, to);
        };
    return () -> workers.run(task, tokens, Grain.rows(width));
  }

  private static void check(Operand positions, int limit, int from, int to) {
    for (int t = from; t < to; t++) {
      int position = positions.getInt(t);
      if (position < 0 || position >= limit) {
        throw new InputException("Rope: position of token " + t, limit, position);
      }
    }
  }

  @Override
  public void close() {
    tables.values().forEach(Span::close);
  }
}
