package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.vectorEnd;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Vector API {@link ElementKernels}. */
public final class VectorElements implements ElementKernels {
  /** Elements below which the plain loop of squares is as fast. */
  private static final int SQUARES = 64;

  private static final ScalarElements SCALAR = new ScalarElements();

  @Override
  public void add(Operand x, Operand y, Operand z, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    ByteBuffer zb = z.buffer();
    int xa = x.at();
    int ya = y.at();
    int za = z.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      store(load(xb, xa + i).add(load(yb, ya + i)), zb, za + i);
    }
    SCALAR.add(x, y, z, end, to);
  }

  @Override
  public void axpy(float a, Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    FloatVector factor = FloatVector.broadcast(SPECIES, a);
    for (int i = from; i < end; i += W) {
      store(load(xb, xa + i).fma(factor, load(yb, ya + i)), yb, ya + i);
    }
    SCALAR.axpy(a, x, y, end, to);
  }

  @Override
  public void scale(float a, Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      store(load(xb, xa + i).mul(a), yb, ya + i);
    }
    SCALAR.scale(a, x, y, end, to);
  }

  @Override
  public void copy(Operand x, Operand y, int from, int to) {
    y.buffer().put((y.at() + from) << 2, x.buffer(), (x.at() + from) << 2, (to - from) << 2);
  }

  @Override
  public void fill(float value, Operand y, int from, int to) {
    ByteBuffer yb = y.buffer();
    int ya = y.at();
    int end = vectorEnd(from, to);
    FloatVector all = FloatVector.broadcast(SPECIES, value);
    for (int i = from; i < end; i += W) {
      store(all, yb, ya + i);
    }
    SCALAR.fill(value, y, end, to);
  }

  @Override
  public void addBias(Operand bias, Operand y, int width, int from, int to) {
    ByteBuffer bb = bias.buffer();
    ByteBuffer yb = y.buffer();
    int ba = bias.at();
    int end = vectorEnd(0, width);
    for (int row = from; row < to; row++) {
      int ya = y.at() + row * width;
      for (int i = 0; i < end; i += W) {
        store(load(yb, ya + i).add(load(bb, ba + i)), yb, ya + i);
      }
      for (int i = end; i < width; i++) {
        y.set(row * width + i, y.get(row * width + i) + bias.get(i));
      }
    }
  }

  @Override
  public void columnSums(Operand x, Operand sums, int rows, int width, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer sb = sums.buffer();
    int sa = sums.at();
    int end = vectorEnd(from, to);
    int row = 0;
    // Four rows per pass over the sums, added in their order.
    for (; row + 4 <= rows; row += 4) {
      int xa = x.at() + row * width;
      for (int c = from; c < end; c += W) {
        FloatVector sum = load(sb, sa + c).add(load(xb, xa + c)).add(load(xb, xa + width + c));
        sum = sum.add(load(xb, xa + 2 * width + c)).add(load(xb, xa + 3 * width + c));
        store(sum, sb, sa + c);
      }
    }
    for (; row < rows; row++) {
      int xa = x.at() + row * width;
      for (int c = from; c < end; c += W) {
        store(load(sb, sa + c).add(load(xb, xa + c)), sb, sa + c);
      }
    }
    SCALAR.columnSums(x, sums, rows, width, end, to);
  }

  // Plain: the conversion F2D is not intrinsic on JDK 17 when it widens, and boxes instead.
  @Override
  public double sum(Operand x, int from, int to) {
    return SCALAR.sum(x, from, to);
  }

  @Override
  public double sumOfSquares(Operand x, int from, int to) {
    int end = from + (to - from & -Lanes.BLOCK);
    if (end - from < SQUARES || !allFinite(x, from, end)) {
      return SCALAR.sumOfSquares(x, from, to);
    }
    double[] pairs = new double[Lanes.BLOCK];
    VectorSquares.lanes(x.buffer(), x.at() + from, end - from, pairs);
    double[] lanes = new double[Lanes.BLOCK];
    for (int i = 0; i < Lanes.BLOCK; i++) {
      lanes[i] = pairs[(i & 1) * (Lanes.BLOCK / 2) + i / 2];
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
    ByteBuffer xb = x.buffer();
    int xa = x.at();
    int end = vectorEnd(from, to);
    // x - x is zero exactly for the finite ones, and NaN stays NaN through the sum.
    FloatVector sum = FloatVector.zero(SPECIES);
    for (int i = from; i < end; i += W) {
      FloatVector v = load(xb, xa + i);
      sum = sum.add(v.sub(v));
    }
    return !sum.compare(VectorOperators.NE, sum).anyTrue() && SCALAR.allFinite(x, end, to);
  }

  @Override
  public void exp(Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      VectorMath.exp(load(xb, xa + i)).intoByteBuffer(yb, (ya + i) << 2, ByteOrder.LITTLE_ENDIAN);
    }
    SCALAR.exp(x, y, end, to);
  }

  @Override
  public void tanh(Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      VectorMath.tanh(load(xb, xa + i)).intoByteBuffer(yb, (ya + i) << 2, ByteOrder.LITTLE_ENDIAN);
    }
    SCALAR.tanh(x, y, end, to);
  }

  @Override
  public void sigmoid(Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      VectorMath.sigmoid(load(xb, xa + i))
          .intoByteBuffer(yb, (ya + i) << 2, ByteOrder.LITTLE_ENDIAN);
    }
    SCALAR.sigmoid(x, y, end, to);
  }
}
