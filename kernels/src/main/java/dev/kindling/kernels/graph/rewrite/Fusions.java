package dev.kindling.kernels.graph.rewrite;

import java.util.List;

/** The fusions, in order. Each is one file with a picture. */
public final class Fusions {
  public static final List<Rewrite> ALL = List.of(new FuseResidualNorm());

  private Fusions() {}
}
