package dev.kindling.comm.mesh;

import dev.kindling.kernels.graph.Axis;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;

/**
 * Rank to coordinates over named axes, and back. Pure arithmetic: no host, no connection, no Spark.
 *
 * <p>The last extent varies fastest: with {@code [DATA 2, TENSOR 4]} ranks 0..3 form the first
 * tensor group. An axis that is not listed has degree 1 and coordinate 0. All methods throw {@link
 * IllegalArgumentException} for a rank or coordinate outside the mesh.
 */
public record Mesh(List<Extent> extents) {
  public Mesh {
    extents = List.copyOf(extents);
    var seen = EnumSet.noneOf(Axis.class);
    long ranks = 1;
    for (Extent extent : extents) {
      if (!seen.add(extent.axis())) {
        throw new IllegalArgumentException("extents: axis " + extent.axis() + " is listed twice");
      }
      ranks *= extent.degree();
      if (ranks > Integer.MAX_VALUE) {
        throw new IllegalArgumentException("extents: more than 2^31 - 1 ranks");
      }
    }
  }

  /** The mesh of plain data parallelism. */
  public static Mesh data(int worldSize) {
    return new Mesh(List.of(new Extent(Axis.DATA, worldSize)));
  }

  /** Number of ranks: the product of all degrees. */
  public int worldSize() {
    int ranks = 1;
    for (Extent extent : extents) {
      ranks *= extent.degree();
    }
    return ranks;
  }

  /** Ranks along {@code axis}; 1 for an axis that is not listed. */
  public int degree(Axis axis) {
    for (Extent extent : extents) {
      if (extent.axis() == axis) {
        return extent.degree();
      }
    }
    return 1;
  }

  /** Position of {@code rank} along {@code axis}; 0 for an axis that is not listed. */
  public int coordinate(int rank, Axis axis) {
    checkRank(rank);
    return rank / stride(axis) % degree(axis);
  }

  /** The rank at {@code coordinates}, one per extent in the order of {@link #extents}. */
  public int rank(List<Integer> coordinates) {
    if (coordinates.size() != extents.size()) {
      throw new IllegalArgumentException(
          "coordinates: expected " + extents.size() + ", found " + coordinates.size());
    }
    int rank = 0;
    for (int i = 0; i < extents.size(); i++) {
      int coordinate = coordinates.get(i);
      if (coordinate < 0 || coordinate >= extents.get(i).degree()) {
        throw new IllegalArgumentException(
            "coordinates: " + coordinate + " is outside " + extents.get(i));
      }
      rank = rank * extents.get(i).degree() + coordinate;
    }
    return rank;
  }

  /** All ranks that differ from {@code rank} along {@code axis} only, itself included, in order. */
  public List<Integer> group(int rank, Axis axis) {
    int stride = stride(axis);
    int first = rank - coordinate(rank, axis) * stride;
    var group = new ArrayList<Integer>();
    for (int i = 0; i < degree(axis); i++) {
      group.add(first + i * stride);
    }
    return List.copyOf(group);
  }

  private int stride(Axis axis) {
    int stride = 1;
    for (int i = extents.size() - 1; i >= 0 && extents.get(i).axis() != axis; i--) {
      stride *= extents.get(i).degree();
    }
    return degree(axis) == 1 ? 1 : stride;
  }

  private void checkRank(int rank) {
    if (rank < 0 || rank >= worldSize()) {
      throw new IllegalArgumentException("rank: " + rank + " is outside 0.." + (worldSize() - 1));
    }
  }
}
