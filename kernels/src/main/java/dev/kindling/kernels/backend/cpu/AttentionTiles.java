package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.AttentionShape;

/**
 * Where the tiles of an attention node begin, made once at compile time. A unit is one head of one
 * sequence; a tile is {@link #ROWS} tokens of it.
 */
final class AttentionTiles {
  /**
   * Query rows per block: the score block of a 256-token sequence then stays in the first cache
   * levels.
   */
  static final int ROWS = 64;

  private final int tiles;
  private final int heads;
  private final int stride;
  private final Operand[] starts;

  AttentionTiles(Operand matrix, AttentionShape shape, int heads, int sequences) {
    this.heads = heads;
    this.tiles = (shape.sequence() + ROWS - 1) / ROWS;
    this.stride = heads * shape.headDim();
    this.starts = new Operand[sequences * heads * tiles];
    for (int i = 0; i < starts.length; i++) {
      int tile = i % tiles;
      int head = i / tiles % heads;
      int sequence = i / tiles / heads;
      int row = sequence * shape.sequence() + tile * ROWS;
      starts[i] = matrix.plus(row * stride + head * shape.headDim());
    }
  }

  /** First element of a tile; its rows are {@link #stride} apart. */
  Operand at(int sequence, int head, int tile) {
    return starts[(sequence * heads + head) * tiles + tile];
  }

  int stride() {
    return stride;
  }
}
