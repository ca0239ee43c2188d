package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.BLOCK;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sum of squares in 16 fp64 lanes. JDK 17 has no intrinsic that widens floats, so it is done on the
 * bits: exponent and mantissa of a float, shifted into a double, are the value times 2^-896
 * (denormals too), and the product with 2^896 is exact. Squares of floats are exact in fp64, so
 * that a fused multiply-add rounds like the plain loop's product and sum.
 */
final class VectorSquares {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** As many doubles as fill a vector of floats. */
  private static final VectorSpecies<Double> DOUBLES = SPECIES.withLanes(double.class);

  private static final double UNBIAS = 0x1p896;
  private static final long MAGNITUDE = 0x7fffffffL;
  private static final int SHIFT = 52 - 23;

  private VectorSquares() {}

  /**
   * Writes the sums of squares of finite x[at, at + count), count a multiple of 16: lane 2i of the
   * house at i, lane 2i + 1 at 8 + i.
   */
  static void lanes(ByteBuffer x, int at, int count, double[] lanes) {
    for (int pair = 0; pair < BLOCK / 2; pair += DOUBLES.length()) {
      pairs(x, at + 2 * pair, count, lanes, pair);
    }
  }

  /** One vector of every block: its even floats are the low halves of the longs. */
  private static void pairs(ByteBuffer x, int at, int count, double[] lanes, int pair) {
    DoubleVector even = DoubleVector.zero(DOUBLES);
    DoubleVector odd = DoubleVector.zero(DOUBLES);
    DoubleVector unbias = DoubleVector.broadcast(DOUBLES, UNBIAS);
    for (int i = at; i < at + count; i += BLOCK) {
      LongVector bits = FloatVector.fromByteBuffer(SPECIES, x, i << 2, ORDER).reinterpretAsLongs();
      DoubleVector low =
          bits.and(MAGNITUDE).lanewise(VectorOperators.LSHL, SHIFT).reinterpretAsDoubles();
      DoubleVector high =
          bits.lanewise(VectorOperators.LSHR, 32)
              .and(MAGNITUDE)
              .lanewise(VectorOperators.LSHL, SHIFT)
              .reinterpretAsDoubles();
      low = low.mul(unbias);
      high = high.mul(unbias);
      even = low.fma(low, even);
      odd = high.fma(high, odd);
    }
    even.intoArray(lanes, pair);
    odd.intoArray(lanes, BLOCK / 2 + pair);
  }
}
