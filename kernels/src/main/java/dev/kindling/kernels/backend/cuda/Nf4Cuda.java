package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.DynamicCode;
import dev.kindling.kernels.graph.op.Nf4;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The kernel of nf4.cu. */
final class Nf4Cuda {
  private static final int THREADS = 256;
  private static final int BLOCK_ELEMENTS = THREADS * 4 * Nf4.WORD;

  private Nf4Cuda() {}

  static void dequantize(Binding b, Node node) {
    Operand matrix = b.out(node, 0);
    b.launch("dequantize_nf4" + matrix.variant())
        .at(b.in(node, 0).address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.constant(numbers(), "numbers of nf4"), matrix.address())
        .longs(matrix.elements())
        .grid((matrix.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS, THREADS)
        .ready();
  }

  /** {@code struct Numbers} of nf4.cu. */
  private static ByteBuffer numbers() {
    float[] levels = Nf4.levels();
    float[] numbers = DynamicCode.SIGNED.numbers();
    int bytes = (levels.length + numbers.length) * Float.BYTES;
    ByteBuffer table = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (float level : levels) {
      table.putFloat(level);
    }
    for (float number : numbers) {
      table.putFloat(number);
    }
    return table.flip();
  }
}
