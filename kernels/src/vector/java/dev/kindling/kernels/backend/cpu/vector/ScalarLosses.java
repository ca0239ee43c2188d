package dev.kindling.kernels.backend.cpu.vector;

/** Plain Java {@link LossKernels}. */
public final class ScalarLosses implements LossKernels {
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
    int counted = 0;
    for (int row = from; row < to; row++) {
      int target = checkedTarget(targets, row, vocabulary);
      int at = row * ld;
      if (target == IGNORED) {
        losses.set(row, 0f);
        if (gradient) {
          ScalarAttention.zero(logits, at, 0, ld);
        }
      } else {
        counted++;
        float z = logits.get(at + target);
        float max = max(logits, at, vocabulary);
        float total = exponentials(logits, at, vocabulary, max, gradient);
        losses.set(row, (float) ((double) max - z + ScalarMath.log(total)));
        if (gradient) {
          float inverse = upstream / total;
          for (int j = 0; j < vocabulary; j++) {
            logits.set(at + j, logits.get(at + j) * inverse);
          }
          logits.set(at + target, logits.get(at + target) - upstream);
          ScalarAttention.zero(logits, at, vocabulary, ld);
        }
      }
    }
    return counted;
  }

  static int checkedTarget(Operand targets, int row, int vocabulary) {
    int target = targets.getInt(row);
    if (target != IGNORED && (target < 0 || target >= vocabulary)) {
      throw new IndexOutOfBoundsException(
          "target of row " + row + ": expected 0 to " + (vocabulary - 1) + ", found " + target);
    }
    return target;
  }

  private static float max(Operand z, int at, int count) {
    float max = Float.NEGATIVE_INFINITY;
    for (int j = 0; j < count; j++) {
      max = Math.max(max, z.get(at + j));
    }
    return max;
  }

  private static float exponentials(Operand z, int at, int count, float max, boolean store) {
    float[] lanes = new float[16];
    int end = count & -16;
    float total = 0f;
    for (int j = 0; j < count; j++) {
      float e = ScalarMath.exp(z.get(at + j) - max);
      if (store) {
        z.set(at + j, e);
      }
      if (j < end) {
        lanes[j & 15] += e;
      }
      if (j == end - 1) {
        total = ScalarMath.fold(lanes);
      } else if (j >= end) {
        total += e;
      }
    }
    return total;
  }
}
