package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Sums of floats in fp64 over 16 logical lanes: 2, 4 or 8 vectors of doubles. */
final class VectorDoubles {
  private static final VectorSpecies<Double> SPECIES =
      VectorSpecies.of(double.class, Lanes.SPECIES.vectorShape());
  private static final VectorSpecies<Float> HALF =
      VectorSpecies.of(
          float.class, VectorShape.forBitSize(Lanes.SPECIES.vectorShape().vectorBitSize() / 2));
  private static final int D = SPECIES.length();
  private static final VectorShuffle<Double> BY4 = rotation(4);
  private static final VectorShuffle<Double> BY2 = rotation(2);
  private static final VectorShuffle<Double> BY1 = rotation(1);
  private static final ScalarElements SCALAR = new ScalarElements();

  private VectorDoubles() {}

  private static VectorShuffle<Double> rotation(int distance) {
    return VectorShuffle.iota(SPECIES, distance % D, 1, true);
  }

  /** The floats from {@code index} on as doubles; same lane count on both sides, so one conversion instruction. */
  private static DoubleVector load(ByteBuffer buffer, int index) {
    return (DoubleVector)
        FloatVector.fromByteBuffer(HALF, buffer, index << 2, ByteOrder.LITTLE_ENDIAN)
            .convertShape(VectorOperators.F2D, SPECIES, 0);
  }

  private static DoubleVector plusSquare(DoubleVector sum, ByteBuffer buffer, int index) {
    DoubleVector v = load(buffer, index);
    return sum.add(v.mul(v));
  }

  static double sum(Operand x, int from, int to) {
    DoubleVector a0 = DoubleVector.zero(SPECIES);
    DoubleVector a1 = a0;
    DoubleVector a2 = a0;
    DoubleVector a3 = a0;
    ByteBuffer b = x.buffer();
    int end = from + (to - from & -Lanes.BLOCK);
    if (D < 4) {
      return SCALAR.sum(x, from, to);
    }
    for (int i = x.at() + from; i < x.at() + end; i += Lanes.BLOCK) {
      a0 = a0.add(load(b, i));
      a1 = a1.add(load(b, i + D));
      if (D == 4) {
        a2 = a2.add(load(b, i + 2 * D));
        a3 = a3.add(load(b, i + 3 * D));
      }
    }
    double total = fold(a0, a1, a2, a3);
    for (int i = end; i < to; i++) {
      total += x.get(i);
    }
    return total;
  }

  static double sumOfSquares(Operand x, int from, int to) {
    DoubleVector a0 = DoubleVector.zero(SPECIES);
    DoubleVector a1 = a0;
    DoubleVector a2 = a0;
    DoubleVector a3 = a0;
    ByteBuffer b = x.buffer();
    int end = from + (to - from & -Lanes.BLOCK);
    if (D < 4) {
      return SCALAR.sumOfSquares(x, from, to);
    }
    for (int i = x.at() + from; i < x.at() + end; i += Lanes.BLOCK) {
      a0 = plusSquare(a0, b, i);
      a1 = plusSquare(a1, b, i + D);
      if (D == 4) {
        a2 = plusSquare(a2, b, i + 2 * D);
        a3 = plusSquare(a3, b, i + 3 * D);
      }
    }
    double total = fold(a0, a1, a2, a3);
    for (int i = end; i < to; i++) {
      double value = x.get(i);
      total += value * value;
    }
    return total;
  }

  private static double fold(DoubleVector a0, DoubleVector a1, DoubleVector a2, DoubleVector a3) {
    DoubleVector v;
    if (D == 8) {
      v = a0.add(a1);
      v = v.add(v.rearrange(BY4));
    } else {
      v = a0.add(a2).add(a1.add(a3));
    }
    v = v.add(v.rearrange(BY2));
    v = v.add(v.rearrange(BY1));
    return v.lane(0);
  }
}
