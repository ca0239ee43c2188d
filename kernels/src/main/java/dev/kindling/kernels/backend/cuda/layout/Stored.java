package dev.kindling.kernels.backend.cuda.layout;

/**
 * How one value lies in its block. Row r of a matrix starts {@code offsetBytes + r * rowStride *
 * element.bytes()} bytes after the start of the block; every other shape is one row.
 *
 * @param element type of its elements
 * @param root block: the id of a value or variable content that fills it, or of no value if several
 *     share it side by side
 * @param offsetBytes from the start of the block; a multiple of {@link #ROW_ALIGNMENT}
 * @param rowStride elements from one row to the next; the columns if dense
 */
public record Stored(Element element, int root, long offsetBytes, int rowStride) {
  /** Bytes that rows of views start on multiples of: one vector load. */
  public static final int ROW_ALIGNMENT = 16;
}
