package dev.kindling.kernels.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;

/** The order in which 16 logical lanes are summed, whatever the width of the machine's vectors. */
final class FixedFold {
  static final int LANES = 16;

  private FixedFold() {}

  static int width() {
    return FloatVector.SPECIES_PREFERRED.length();
  }
}
