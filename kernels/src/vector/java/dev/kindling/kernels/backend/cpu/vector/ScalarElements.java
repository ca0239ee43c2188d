package dev.kindling.kernels.backend.cpu.vector;

/**
 * Plain Java {@link ElementKernels}: the oracle of the vector ones and their replacement without
 * the module.
 */
public final class ScalarElements implements ElementKernels {
  @Override
  public void add(Operand x, Operand y, Operand z, int from, int to) {
    for (int i = from; i < to; i++) {
      z.set(i, x.get(i) + y.get(i));
    }
  }

  @Override
  public void axpy(float a, Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, Math.fma(a, x.get(i), y.get(i)));
    }
  }

  @Override
  public void scale(float a, Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, a * x.get(i));
    }
  }

  @Override
  public void copy(Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, x.get(i));
    }
  }

  @Override
  public void fill(float value, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, value);
    }
  }

  @Override
  public void addBias(Operand bias, Operand y, int width, int from, int to) {
    for (int row = from; row < to; row++) {
      for (int i = 0; i < width; i++) {
        y.set(row * width + i, y.get(row * width + i) + bias.get(i));
      }
    }
  }

  @Override
  public void columnSums(Operand x, Operand sums, int rows, int width, int from, int to) {
    for (int row = 0; row < rows; row++) {
      for (int c = from; c < to; c++) {
        sums.set(c, sums.get(c) + x.get(row * width + c));
      }
    }
  }

  @Override
  public double sum(Operand x, int from, int to) {
    double[] lanes = new double[16];
    int end = from + (to - from & -16);
    for (int i = from; i < end; i++) {
      lanes[i - from & 15] += x.get(i);
    }
    double total = ScalarMath.fold(lanes);
    for (int i = end; i < to; i++) {
      total += x.get(i);
    }
    return total;
  }

  @Override
  public double sumOfSquares(Operand x, int from, int to) {
    double[] lanes = new double[16];
    int end = from + (to - from & -16);
    for (int i = from; i < end; i++) {
      double value = x.get(i);
      lanes[i - from & 15] += value * value;
    }
    double total = ScalarMath.fold(lanes);
    for (int i = end; i < to; i++) {
      double value = x.get(i);
      total += value * value;
    }
    return total;
  }

  @Override
  public boolean allFinite(Operand x, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!Float.isFinite(x.get(i))) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void exp(Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, ScalarMath.exp(x.get(i)));
    }
  }

  @Override
  public void tanh(Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, ScalarMath.tanh(x.get(i)));
    }
  }

  @Override
  public void sigmoid(Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, ScalarMath.sigmoid(x.get(i)));
    }
  }
}
