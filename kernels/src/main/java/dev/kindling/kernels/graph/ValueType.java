package dev.kindling.kernels.graph;

/** Shape and element type. */
public record ValueType(Shape shape, DType dtype) {
  public static ValueType f32(int... dims) {
    return new ValueType(Shape.of(dims), DType.F32);
  }

  public static ValueType i32(int... dims) {
    return new ValueType(Shape.of(dims), DType.I32);
  }

  public long bytes() {
    return shape.elements() * dtype.bytes();
  }

  @Override
  public String toString() {
    return dtype.name().toLowerCase(java.util.Locale.ROOT) + shape;
  }
}
