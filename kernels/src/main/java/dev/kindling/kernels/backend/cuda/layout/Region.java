package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Place;

/**
 * Bytes that a value occupies.
 *
 * @param space variable or arena
 * @param base where its block starts
 * @param column bytes from the start of a row of the block to the value's
 * @param width bytes of a row of the value
 * @param stride bytes from row to row
 */
record Region(Object space, long base, long column, long width, long stride, long rows) {
  static Region of(Layout layout, Value value) {
    Stored stored = layout.stored(value);
    int bytes = stored.element().bytes();
    Variable variable = layout.variableOf(value);
    boolean matrix = value.shape().rank() == 2;
    long rows = matrix ? value.shape().dim(0) : 1;
    long width = value.shape().elements() / rows * bytes;
    long stride = matrix ? (long) stored.rowStride() * bytes : width;
    if (stored.offsetBytes() < 0 || stored.offsetBytes() + width > stride) {
      throw new PlanException(value + ": rows of " + width + " bytes do not fit " + stored);
    }
    if (variable != null) {
      return new Region(variable, 0, stored.offsetBytes(), width, stride, rows);
    }
    Place place = layout.placeOf(value);
    long base = place.offset() - stored.offsetBytes();
    return new Region(place.arena(), base, stored.offsetBytes(), width, stride, rows);
  }

  /** The whole block: rows of it without what lies beside them. */
  Region block() {
    return new Region(space, base, 0, stride, stride, rows);
  }

  boolean sameBlock(Region other) {
    return block().equals(other.block());
  }

  /** Whether they have a byte in common, up to gaps between rows of different blocks. */
  boolean overlaps(Region other) {
    if (sameBlock(other)) {
      return column < other.column + other.width && other.column < column + width;
    }
    return space.equals(other.space) && base < other.end() && other.base < end();
  }

  private long end() {
    return base + rows * stride;
  }
}
