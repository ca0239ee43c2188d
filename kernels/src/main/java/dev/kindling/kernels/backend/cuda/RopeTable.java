package dev.kindling.kernels.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The angles of rotary positions as the kernels of rope.cu read them.
 *
 * @param rows positions, from 0
 */
record RopeTable(int headDim, double theta, int rows) {
  long bytes() {
    return 4L * rows * headDim;
  }

  /** [rows, headDim] fp32: headDim / 2 cosines, then as many sines, computed in fp64. */
  ByteBuffer content() {
    int half = headDim / 2;
    ByteBuffer table = ByteBuffer.allocateDirect(Math.toIntExact(bytes()));
    table.order(ByteOrder.LITTLE_ENDIAN);
    for (int position = 0; position < rows; position++) {
      for (int i = 0; i < half; i++) {
        double angle = position * Math.pow(theta, -2.0 * i / headDim);
        table.putFloat(4 * (position * headDim + i), (float) Math.cos(angle));
        table.putFloat(4 * (position * headDim + half + i), (float) Math.sin(angle));
      }
    }
    return table;
  }
}
