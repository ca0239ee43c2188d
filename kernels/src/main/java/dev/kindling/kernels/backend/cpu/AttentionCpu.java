package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.vector.AttentionKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.Attention;

/**
 * Attention by blocks of query rows: scores against the visible keys only, exact softmax per row,
 * product with the values. Threads take whole heads, so bits do not depend on their number.
 */
final class AttentionCpu implements Runnable {
  private final AttentionShape shape;
  private final Workers workers;
  private final Matmul matmul;
  private final AttentionKernels rows;
  private final int sequences;
  private final int lds;
  private final float scale;
  private final AttentionTiles q;
  private final AttentionTiles k;
  private final AttentionTiles v;
  private final AttentionTiles o;
  private final Operand lse;
  private final Operand[] scores;
  private final SegmentStarts starts;
  private final Workers.Task task = this::units;

  private AttentionCpu(Binding binding) {
    Attention op = binding.op(Attention.class);
    int tokens = binding.inShape(0).dim(0);
    shape = op.shape();
    workers = binding.workers();
    matmul = binding.matmul();
    rows = binding.rows().attention();
    sequences = tokens / shape.sequence();
    lds = (shape.sequence() + 15) / 16 * 16;
    scale = (float) (1.0 / Math.sqrt(shape.headDim()));
    q = new AttentionTiles(binding.in(0), shape, shape.heads(), sequences);
    k = new AttentionTiles(binding.in(1), shape, shape.kvHeads(), sequences);
    v = new AttentionTiles(binding.in(2), shape, shape.kvHeads(), sequences);
    o = new AttentionTiles(binding.out(0), shape, shape.heads(), sequences);
    lse = binding.out(1);
    scores = new Operand[workers.count()];
    int block = AttentionTiles.ROWS * lds;
    Operand scratch = binding.scratch((long) block * scores.length);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = scratch.plus(i * block);
    }
    starts = new SegmentStarts(op.segments() ? binding.in(3) : null, tokens, shape);
  }

  static Runnable bind(Binding binding) {
    return new AttentionCpu(binding);
  }

  @Override
  public void run() {
    starts.refresh();
    workers.run(task, sequences * shape.heads(), 1);
  }

  private void units(int from, int to, int worker) {
    for (int unit = from; unit < to; unit++) {
      int head = unit % shape.heads();
      int sequence = unit / shape.heads();
      for (int tile = 0; tile * AttentionTiles.ROWS < shape.sequence(); tile++) {
        block(sequence, head, tile, scores[worker]);
      }
    }
  }

  private void block(int sequence, int head, int tile, Operand s) {
    int row = tile * AttentionTiles.ROWS;
    int end = Math.min(row + AttentionTiles.ROWS, shape.sequence());
    int firstTile = starts.of(sequence, row) / AttentionTiles.ROWS;
    int column = firstTile * AttentionTiles.ROWS;
    int keys = end - column;
    int columns = Math.min((keys + 15) / 16 * 16, lds);
    int kvHead = head / (shape.heads() / shape.kvHeads());
    Operand query = q.at(sequence, head, tile);
    Operand key = k.at(sequence, kvHead, firstTile);
    int m = end - row;
    int c = shape.headDim();
    matmul.multiply(Form.NT, m, keys, c, 1f, query, q.stride(), key, k.stride(), 0f, s, lds);
    int lseAt = (sequence * shape.heads() + head) * shape.sequence();
    for (int i = row; i < end; i++) {
      int first = starts.of(sequence, i) - column;
      float value = rows.softmaxRow(s, (i - row) * lds, columns, first, i + 1 - column, scale);
      lse.set(lseAt + i, value);
    }
    Operand value = v.at(sequence, kvHead, firstTile);
    Operand output = o.at(sequence, head, tile);
    matmul.multiply(Form.NN, m, c, keys, 1f, s, lds, value, v.stride(), 0f, output, o.stride());
  }
}
