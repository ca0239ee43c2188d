package dev.kindling.kernels.graph;

/**
 * A name for one content, assigned once: either the first content of a variable or a node's output.
 */
public record Value(int id, ValueType type) {
  public Shape shape() {
    return type.shape();
  }

  @Override
  public String toString() {
    return "%" + id;
  }
}
