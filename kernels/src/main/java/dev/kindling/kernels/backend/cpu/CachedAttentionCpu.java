package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.vector.AttentionKernels;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.CachedAttention;

/**
 * Attention of one query a sequence to its cache. The query heads of a key head are the rows of one
 * small product: keys and values are read once for all of them.
 */
final class CachedAttentionCpu implements Runnable {
  private final AttentionShape shape;
  private final Workers workers;
  private final Matmul matmul;
  private final AttentionKernels rows;
  private final ElementKernels elements;
  private final Operand lengths;
  private final int sequences;
  private final int group;
  private final int lds;
  private final float scale;
  private final Operand[] q;
  private final Operand[] k;
  private final Operand[] v;
  private final Operand[] o;
  private final Operand[] scores;
  private final Workers.Task task = this::units;

  private CachedAttentionCpu(Binding binding) {
    shape = binding.op(CachedAttention.class).shape();
    workers = binding.workers();
    matmul = binding.matmul();
    rows = binding.rows().attention();
    elements = binding.rows().elements();
    lengths = binding.in(3);
    sequences = binding.inShape(0).dim(0);
    group = shape.heads() / shape.kvHeads();
    lds = (shape.sequence() + 15) / 16 * 16;
    scale = (float) (1.0 / Math.sqrt(shape.headDim()));
    int c = shape.headDim();
    q = starts(binding.in(0), group * c);
    o = starts(binding.out(0), group * c);
    k = cacheStarts(binding.in(1));
    v = cacheStarts(binding.in(2));
    scores = new Operand[workers.count()];
    int block = group * lds;
    Operand scratch = binding.scratch((long) block * scores.length);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = scratch.plus(i * block);
    }
  }

  static Runnable bind(Binding binding) {
    return new CachedAttentionCpu(binding);
  }

  /** A unit is one key head of one sequence; the query heads of a unit lie together. */
  private Operand[] starts(Operand matrix, int width) {
    Operand[] starts = new Operand[sequences * shape.kvHeads()];
    for (int unit = 0; unit < starts.length; unit++) {
      starts[unit] = matrix.plus(unit * width);
    }
    return starts;
  }

  private Operand[] cacheStarts(Operand matrix) {
    Operand[] starts = new Operand[sequences * shape.kvHeads()];
    for (int unit = 0; unit < starts.length; unit++) {
      int row = unit / shape.kvHeads() * shape.sequence();
      int head = unit % shape.kvHeads();
      starts[unit] = matrix.plus((row * shape.kvHeads() + head) * shape.headDim());
    }
    return starts;
  }

  @Override
  public void run() {
    workers.run(task, q.length, 1);
  }

  private void units(int from, int to, int worker) {
    for (int unit = from; unit < to; unit++) {
      unit(unit, scores[worker]);
    }
  }

  private void unit(int unit, Operand s) {
    int sequence = unit / shape.kvHeads();
    int length = lengths.getInt(sequence);
    int capacity = shape.sequence();
    if (length < 0 || length > capacity) {
      throw new InputException(
          "CachedAttention: length of sequence " + sequence, capacity + 1, length);
    }
    int c = shape.headDim();
    if (length == 0) {
      elements.fill(0f, o[unit], 0, group * c);
      return;
    }
    int stride = shape.kvHeads() * c;
    matmul.multiply(Form.NT, group, length, c, 1f, q[unit], c, k[unit], stride, 0f, s, lds);
    int columns = (length + 15) / 16 * 16;
    int first = shape.firstKey(length - 1);
    for (int row = 0; row < group; row++) {
      rows.softmaxRow(s, row * lds, columns, first, length, scale);
    }
    matmul.multiply(Form.NN, group, c, length, 1f, s, lds, v[unit], stride, 0f, o[unit], c);
  }
}
