package dev.kindling.comm.mesh;

import dev.kindling.kernels.graph.Axis;
import java.util.Objects;

/** One direction of a mesh and the number of ranks along it. */
public record Extent(Axis axis, int degree) {
  public Extent {
    Objects.requireNonNull(axis, "axis");
    if (degree < 1) {
      throw new IllegalArgumentException("degree: expected at least 1, found " + degree);
    }
  }
}
