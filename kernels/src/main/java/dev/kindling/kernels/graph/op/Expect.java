package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Checks of input types; each failure names the operation, the input, what was expected and found.
 */
final class Expect {
  private Expect() {}

  static void count(Op op, List<ValueType> inputs, int count) {
    if (inputs.size() != count) {
      throw new PlanException(op + ": expected " + count + " inputs, found " + inputs.size());
    }
  }

  static void atLeast(Op op, List<ValueType> inputs, int count) {
    if (inputs.size() < count) {
      throw new PlanException(
          op + ": expected at least " + count + " inputs, found " + inputs.size());
    }
  }

  /** An fp32 input with exactly these extents. */
  static void f32(Op op, List<ValueType> inputs, int index, int... dims) {
    same(op, index, new ValueType(Shape.of(dims), DType.F32), inputs.get(index));
  }

  /** An int32 input with exactly these extents. */
  static void i32(Op op, List<ValueType> inputs, int index, int... dims) {
    same(op, index, new ValueType(Shape.of(dims), DType.I32), inputs.get(index));
  }

  /** {@code count} fp32 inputs of one type; returns it. */
  static ValueType elementwise(Op op, List<ValueType> inputs, int count) {
    count(op, inputs, count);
    f32(op, inputs, 0);
    for (int index = 1; index < count; index++) {
      same(op, index, inputs.get(0), inputs.get(index));
    }
    return inputs.get(0);
  }

  static void same(Op op, int index, ValueType expected, ValueType found) {
    if (!expected.equals(found)) {
      throw new PlanException(
          op + ": input " + index + ": expected " + expected + ", found " + found);
    }
  }

  /** An fp32 matrix; returns its shape. */
  static Shape matrix(Op op, List<ValueType> inputs, int index) {
    ValueType type = inputs.get(index);
    if (type.dtype() != DType.F32 || type.shape().rank() != 2) {
      throw new PlanException(op + ": input " + index + ": expected f32 matrix, found " + type);
    }
    return type.shape();
  }

  /** A matrix or vector of fp32, then its rows' numbers and its columns', at {@code rows}. */
  static void factored(Op op, List<ValueType> inputs, int matrix, int rows) {
    f32(op, inputs, matrix);
    ValueType type = inputs.get(matrix);
    int rank = type.shape().rank();
    that(
        rank == 1 || rank == 2,
        op,
        "input " + matrix + ": expected 1 or 2 dimensions, found " + type);
    same(op, rows, FactoredMoments.rows(type), inputs.get(rows));
    same(op, rows + 1, FactoredMoments.columns(type), inputs.get(rows + 1));
  }

  /** An fp32 vector; returns its length. */
  static int vector(Op op, List<ValueType> inputs, int index) {
    ValueType type = inputs.get(index);
    if (type.dtype() != DType.F32 || type.shape().rank() != 1) {
      throw new PlanException(op + ": input " + index + ": expected f32 vector, found " + type);
    }
    return type.shape().dim(0);
  }

  static void f32(Op op, List<ValueType> inputs, int index) {
    if (inputs.get(index).dtype() != DType.F32) {
      throw new PlanException(
          op + ": input " + index + ": expected f32, found " + inputs.get(index));
    }
  }

  /** An input with an outermost dimension, of any element type; returns its type. */
  static ValueType rows(Op op, List<ValueType> inputs, int index) {
    ValueType type = inputs.get(index);
    that(type.shape().rank() > 0, op, "input " + index + ": expected a dimension 0, found " + type);
    return type;
  }

  /** An input whose dimension 0 falls into equal pieces; returns the extent of one. */
  static int shards(Op op, List<ValueType> inputs, int index, int degree) {
    ValueType type = rows(op, inputs, index);
    int extent = type.shape().dim(0);
    if (extent % degree != 0) {
      int padded = (extent / degree + 1) * degree;
      throw new PlanException(
          op
              + ": input "
              + index
              + ": expected a dimension 0 in "
              + degree
              + " equal pieces, found "
              + type
              + "; pad it to "
              + padded);
    }
    return extent / degree;
  }

  /** Shape of one of {@code degree} equal runs of the elements of a whole. */
  static Shape flatPiece(Op op, Shape whole, int degree) {
    long elements = whole.elements();
    that(
        elements % degree == 0,
        op,
        "expected elements in " + degree + " equal runs, found " + elements + " of " + whole);
    return Shape.of(Math.toIntExact(elements / degree));
  }

  static void degree(Axis axis, int degree) {
    if (degree < 1) {
      throw new PlanException("degree of axis " + axis + ": expected at least 1, found " + degree);
    }
  }

  static void root(Axis axis, int root) {
    if (root < 0) {
      throw new PlanException("root along axis " + axis + ": expected 0 or more, found " + root);
    }
  }

  static void that(boolean condition, Op op, String message) {
    if (!condition) {
      throw new PlanException(op + ": " + message);
    }
  }
}
