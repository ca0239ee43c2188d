package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;

/** Vector API {@link LossKernels}. */
public final class VectorLosses implements LossKernels {
  @Override
  public int crossEntropy(
      Operand logits,
      Operand targets,
      Operand losses,
      int ld,
      int vocabulary,
      float upstream,
      boolean gradient,
      int from,
      int to) {
    ByteBuffer z = logits.buffer();
    int counted = 0;
    for (int row = from; row < to; row++) {
      int target = ScalarLosses.checkedTarget(targets, row, vocabulary);
      int at = logits.at() + row * ld;
      if (target == IGNORED) {
        losses.set(row, 0f);
        if (gradient) {
          VectorSoftmax.zero(z, at, 0, ld);
        }
      } else {
        counted++;
        float chosen = z.getFloat((at + target) << 2);
        float max = VectorSoftmax.max(z, at, vocabulary, 0, vocabulary);
        float total =
            VectorSoftmax.exponentials(z, at, vocabulary, 0, vocabulary, max, 1f, gradient);
        losses.set(row, (float) ((double) max - chosen + ScalarMath.log(total)));
        if (gradient) {
          VectorSoftmax.multiply(z, at, 0, vocabulary, upstream / total);
          int index = (at + target) << 2;
          z.putFloat(index, z.getFloat(index) - upstream);
          VectorSoftmax.zero(z, at, vocabulary, ld);
        }
      }
    }
    return counted;
  }
}
