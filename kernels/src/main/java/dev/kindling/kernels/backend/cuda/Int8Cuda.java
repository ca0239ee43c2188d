package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.random.Int8Grid;
import java.util.List;

/** Parameters in codes of 8 bits: kernels of int8.cu. */
final class Int8Cuda {
  private static final int THREADS = 256;

  /** Elements of a thread. */
  private static final int LANE = 16;

  private Int8Cuda() {}

  /**
   * Matrices of equal width as one, below each other, in scratch memory: bf16, or fp32 where that
   * is the precision.
   */
  static Operand decoded(Binding b, List<Value> matrices) {
    Element element = b.bf16() ? Element.BF16 : Element.F32;
    int columns = matrices.get(0).shape().dim(1);
    int rows = 0;
    for (Value matrix : matrices) {
      if (!b.hasCodes(matrix)) {
        throw new DeviceException(
            "cuda: "
                + b.group()
                + ": expected weights of one product all in codes of 8 bits, or none, found "
                + matrix
                + " beside others");
      }
      rows += matrix.shape().dim(0);
    }
    long start = b.scratch((long) rows * columns * element.bytes());
    long at = start;
    for (Value matrix : matrices) {
      long elements = matrix.shape().elements();
      long codes = b.codesAddress(matrix);
      b.launch("int8_values_" + (element == Element.BF16 ? "bf16" : "f32"))
          .at(codes, codes + Int8Grid.gridsAt(elements), at)
          .longs(elements)
          .grid((elements + LANE * THREADS - 1) / (LANE * THREADS), THREADS)
          .ready();
      at += elements * element.bytes();
    }
    return new Operand(start, element, Shape.of(rows, columns), columns);
  }
}
