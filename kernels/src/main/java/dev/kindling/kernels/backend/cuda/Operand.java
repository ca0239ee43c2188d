package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;

/**
 * Where a value lies on the device.
 *
 * @param address of its first element
 * @param stride elements from one row to the next; rows are dense inside
 */
record Operand(long address, Element element, Shape shape, int stride) {
  int rows() {
    return shape.dim(0);
  }

  int columns() {
    return shape.rank() < 2 ? 1 : shape.dim(1);
  }

  long elements() {
    return shape.elements();
  }

  /** All elements as one row; it must be dense. */
  Operand flat() {
    int count = Math.toIntExact(elements());
    return new Operand(address, element, Shape.of(1, count), count);
  }

  /**
   * A kernel has one element type for all its matrices.
   *
   * @throws DeviceException if the other one is stored differently
   */
  void expectElement(Operand other, Node node) {
    if (other.element() != element) {
      throw new DeviceException(
          "cuda: " + node + ": expected all matrices in " + element + ", found " + other.element());
    }
  }

  boolean dense() {
    return shape.rank() < 2 || stride == columns();
  }

  /** The suffix of the kernel variant that reads this. */
  String variant() {
    return element == Element.BF16 ? "_bf16" : "_f32";
  }
}
