package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.vector.AttentionKernels;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.AttentionGradient;

/**
 * Gradient of attention by the same blocks as forward: probabilities are recomputed from the saved
 * lse. Threads take whole key heads and walk their query heads in order, so the sums over a group
 * have one order.
 */
final class AttentionGradientCpu implements Runnable {
  private final AttentionShape shape;
  private final Workers workers;
  private final Matmul matmul;
  private final AttentionKernels rows;
  private final ElementKernels elements;
  private final int sequences;
  private final int lds;
  private final float scale;
  private final AttentionTiles q;
  private final AttentionTiles k;
  private final AttentionTiles v;
  private final AttentionTiles o;
  private final AttentionTiles dOut;
  private final AttentionTiles dq;
  private final AttentionTiles dk;
  private final AttentionTiles dv;
  private final Operand lse;
  private final Operand[] scores;
  private final Operand[] gradients;
  private final SegmentStarts starts;
  private final Workers.Task task = this::units;

  private AttentionGradientCpu(Binding binding) {
    AttentionGradient op = binding.op(AttentionGradient.class);
    int tokens = binding.inShape(0).dim(0);
    shape = op.shape();
    workers = binding.workers();
    matmul = binding.matmul();
    rows = binding.rows().attention();
    elements = binding.rows().elements();
    sequences = tokens / shape.sequence();
    lds = (shape.sequence() + 15) / 16 * 16;
    scale = (float) (1.0 / Math.sqrt(shape.headDim()));
    q = new AttentionTiles(binding.in(0), shape, shape.heads(), sequences);
    k = new AttentionTiles(binding.in(1), shape, shape.kvHeads(), sequences);
    v = new AttentionTiles(binding.in(2), shape, shape.kvHeads(), sequences);
    o = new AttentionTiles(binding.in(3), shape, shape.heads(), sequences);
    lse = binding.in(4);
    dOut = new AttentionTiles(binding.in(5), shape, shape.heads(), sequences);
    dq = new AttentionTiles(binding.out(0), shape, shape.heads(), sequences);
    dk = new AttentionTiles(binding.out(1), shape, shape.kvHeads(), sequences);
    dv = new AttentionTiles(binding.out(2), shape, shape.kvHeads(), sequences);
    int block = AttentionTiles.ROWS * lds;
    scores = new Operand[workers.count()];
    gradients = new Operand[workers.count()];
    Operand scratch = binding.scratch(2L * block * scores.length);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = scratch.plus(2 * i * block);
      gradients[i] = scratch.plus((2 * i + 1) * block);
    }
    starts = new SegmentStarts(op.segments() ? binding.in(6) : null, tokens, shape);
  }

  static Runnable bind(Binding binding) {
    return new AttentionGradientCpu(binding);
  }

  @Override
  public void run() {
    starts.refresh();
    workers.run(task, sequences * shape.kvHeads(), 1);
  }

  private void units(int from, int to, int worker) {
    int group = shape.heads() / shape.kvHeads();
    int tiles = (shape.sequence() + AttentionTiles.ROWS - 1) / AttentionTiles.ROWS;
    for (int unit = from; unit < to; unit++) {
      int kvHead = unit % shape.kvHeads();
      int sequence = unit / shape.kvHeads();
      clear(dk.at(sequence, kvHead, 0), dk.stride());
      clear(dv.at(sequence, kvHead, 0), dv.stride());
      for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
        for (int tile = 0; tile < tiles; tile++) {
          block(sequence, head, tile, worker);
        }
      }
    }
  }

  private void clear(Operand head, int stride) {
    for (int row = 0; row < shape.sequence(); row++) {
      elements.fill(0f, head, row * stride, row * stride + shape.headDim());
    }
  }

  private void block(int sequence, int head, int tile, int worker) {
    int row = tile * AttentionTiles.ROWS;
    int m = Math.min(AttentionTiles.ROWS, shape.sequence() - row);
    int firstTile = starts.of(sequence, row) / AttentionTiles.ROWS;
    int column = firstTile * AttentionTiles.ROWS;
    int keys = row + m - column;
    int c = shape.headDim();
    int kvHead = head / (shape.heads() / shape.kvHeads());
    Operand p = scores[worker];
    Operand ds = gradients[worker];
    Operand key = k.at(sequence, kvHead, firstTile);
    Operand value = v.at(sequence, kvHead, firstTile);
    Operand query = q.at(sequence, head, tile);
    Operand dy = dOut.at(sequence, head, tile);
    matmul.multiply(Form.NT, m, keys, c, 1f, query, q.stride(), key, k.stride(), 0f, p, lds);
    matmul.multiply(Form.NT, m, keys, c, 1f, dy, dOut.stride(), value, v.stride(), 0f, ds, lds);
    rowGradients(sequence, head, tile, worker);
    Operand dValue = dv.at(sequence, kvHead, firstTile);
    matmul.multiply(Form.TN, keys, c, m, 1f, p, lds, dy, dOut.stride(), 1f, dValue, dv.stride());
    Operand dQuery = dq.at(sequence, head, tile);
    matmul.multiply(Form.NN, m, c, keys, 1f, ds, lds, key, k.stride(), 0f, dQuery, dq.stride());
    Operand dKey = dk.at(sequence, kvHead, firstTile);
    matmul.multiply(Form.TN, keys, c, m, 1f, ds, lds, query, q.stride(), 1f, dKey, dk.stride());
  }

  /** Turns raw scores into P and dP into dS, row by row. */
  private void rowGradients(int sequence, int head, int tile, int worker) {
    int row = tile * AttentionTiles.ROWS;
    int m = Math.min(AttentionTiles.ROWS, shape.sequence() - row);
    int column = starts.of(sequence, row) / AttentionTiles.ROWS * AttentionTiles.ROWS;
    int columns = (row + m - column + 15) / 16 * 16;
    int lseAt = (sequence * shape.heads() + head) * shape.sequence() + row;
    Operand p = scores[worker];
    Operand ds = gradients[worker];
    Operand dy = dOut.at(sequence, head, tile);
    Operand y = o.at(sequence, head, tile);
    for (int i = 0; i < m; i++) {
      int at = i * lds;
      int first = starts.of(sequence, row + i) - column;
      rows.probabilityRow(p, at, columns, first, row + i + 1 - column, scale, lse.get(lseAt + i));
      float d = rows.dot(dy, i * dOut.stride(), y, i * o.stride(), shape.headDim());
      rows.scoreGradientRow(p, at, ds, at, columns, d, scale);
    }
  }
}
