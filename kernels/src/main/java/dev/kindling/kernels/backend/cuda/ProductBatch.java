package dev.kindling.kernels.backend.cuda;

/**
 * Products of one shape whose operands lie at equal distances.
 *
 * @param count of products
 * @param apartA elements from A of one product to A of the next; likewise B and D
 */
record ProductBatch(ProductShape shape, int count, long apartA, long apartB, long apartD) {
  static ProductBatch one(ProductShape shape) {
    return new ProductBatch(shape, 1, 0, 0, 0);
  }

  /** Names the choice of an algorithm, which distances do not change. */
  @Override
  public String toString() {
    return count == 1 ? shape.toString() : count + "x" + shape;
  }
}
