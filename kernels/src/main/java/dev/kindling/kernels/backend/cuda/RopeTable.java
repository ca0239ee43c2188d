package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.RopeFrequencies;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The angles of rotary positions as the kernels of rope.cu read them.
 *
 * @param rows positions, from 0
 */
record RopeTable(int headDim, RopeFrequencies frequencies, int rows) {
  long bytes() {
    return 4L * rows * headDim;
  }

  /** [rows, headDim] fp32: headDim / 2 cosines, then as many sines, computed in fp64. */
  ByteBuffer content() {
    double[] turns = frequencies.ofHead(headDim);
    int half = turns.length;
    ByteBuffer table = ByteBuffer.allocateDirect(Math.toIntExact(bytes()));
    table.order(ByteOrder.LITTLE_ENDIAN);
    for (int position = 0; position < rows; position++) {
      for (int i = 0; i < half; i++) {
        double angle = position * turns[i];
        table.putFloat(4 * (position * headDim + i), (float) StrictMath.cos(angle));
        table.putFloat(4 * (position * headDim + half + i), (float) StrictMath.sin(angle));
      }
    }
    return table;
  }
}
