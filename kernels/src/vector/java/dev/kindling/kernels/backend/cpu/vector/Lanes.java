package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * 16 logical lanes on 1, 2 or 4 vectors of the machine's own width.
 *
 * <p>Lane l of the house is lane l mod W of vector l / W. Kernels keep four accumulators; those
 * that a wide machine does not need stay zero vectors that the compiler drops, because W is a
 * constant to it.
 */
final class Lanes {
  static final VectorSpecies<Float> SPECIES = species();
  static final int W = SPECIES.length();
  static final int BLOCK = 16;

  static final VectorShuffle<Float> BY8 = rotation(8);
  static final VectorShuffle<Float> BY4 = rotation(4);
  static final VectorShuffle<Float> BY2 = rotation(2);
  static final VectorShuffle<Float> BY1 = rotation(1);

  private Lanes() {}

  private static VectorSpecies<Float> species() {
    VectorSpecies<Float> widest = FloatVector.SPECIES_PREFERRED;
    if (widest.length() > BLOCK) {
      return FloatVector.SPECIES_512;
    }
    return widest.length() < 4 ? FloatVector.SPECIES_128 : widest;
  }

  private static VectorShuffle<Float> rotation(int distance) {
    return VectorShuffle.iota(SPECIES, distance % W, 1, true);
  }

  static FloatVector load(ByteBuffer buffer, int index) {
    return FloatVector.fromByteBuffer(SPECIES, buffer, index << 2, ByteOrder.LITTLE_ENDIAN);
  }

  static void store(FloatVector v, ByteBuffer buffer, int index) {
    v.intoByteBuffer(buffer, index << 2, ByteOrder.LITTLE_ENDIAN);
  }

  /** End of the last full vector of [from, to). */
  static int vectorEnd(int from, int to) {
    return from + (to - from & -W);
  }

  /** The house's fold: distances 8, 4, 2, 1. */
  static float fold(FloatVector a0, FloatVector a1, FloatVector a2, FloatVector a3) {
    FloatVector v;
    if (W == 16) {
      v = a0.add(a0.rearrange(BY8));
      v = v.add(v.rearrange(BY4));
    } else if (W == 8) {
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
