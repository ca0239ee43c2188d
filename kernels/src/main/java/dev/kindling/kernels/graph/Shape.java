package dev.kindling.kernels.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Extents of a value, outermost first; row-major in memory. Every extent is at least 1. */
public record Shape(List<Integer> dims) {
  public Shape {
    dims = List.copyOf(dims);
    for (int dim : dims) {
      if (dim < 1) {
        throw new PlanException("shape " + dims + ": every extent must be at least 1");
      }
    }
  }

  public static Shape of(int... dims) {
    return new Shape(Arrays.stream(dims).boxed().toList());
  }

  public long elements() {
    long product = 1;
    for (int dim : dims) {
      product *= dim;
    }
    return product;
  }

  public int dim(int index) {
    return dims.get(index);
  }

  /** The same shape with another outermost extent. */
  public Shape withDim0(int extent) {
    List<Integer> changed = new ArrayList<>(dims);
    changed.set(0, extent);
    return new Shape(changed);
  }

  public int rank() {
    return dims.size();
  }

  @Override
  public String toString() {
    return dims.toString();
  }
}
