package dev.kindling.kernels.graph;

/**
 * The longer dimension of a matrix, whose indices are its channels; the shorter one is contracted
 * by a sketch. Rows are channels of a square matrix. A rank may keep a run of whole rows, in a
 * vector of their elements.
 *
 * @param rows of the whole matrix
 * @param pieces ranks that each keep as many of the rows
 */
public record Channels(int rows, int columns, int pieces) {
  public Channels {
    if (rows < 1 || columns < 1 || pieces < 1 || rows % pieces != 0) {
      throw new PlanException(
          "channels: expected rows in "
              + pieces
              + " equal pieces of whole rows, found "
              + rows
              + " rows of "
              + columns
              + " columns");
    }
  }

  /** Of a matrix of which the rank keeps what {@code kept} says: all of it, or a run of it. */
  public static Channels of(Shape matrix, Shape kept) {
    return new Channels(
        matrix.dim(0), matrix.dim(1), Math.toIntExact(matrix.elements() / kept.elements()));
  }

  /** Whether rows are channels; else columns are. */
  public boolean areRows() {
    return rows >= columns;
  }

  /** Rows of the rank. */
  public int ownRows() {
    return rows / pieces;
  }

  /** Channels that the rank meets: its rows, or all columns. */
  public int own() {
    return areRows() ? ownRows() : columns;
  }

  /** Elements of one channel on the rank: all columns, or its rows. */
  public int contracted() {
    return areRows() ? columns : ownRows();
  }

  /** Whether several ranks hold parts of each channel. */
  public boolean areCut() {
    return pieces > 1 && !areRows();
  }

  /** Type of the matrix, or of the run of it, that the rank keeps. */
  public ValueType kept() {
    return pieces == 1 ? ValueType.f32(rows, columns) : ValueType.f32(ownRows() * columns);
  }
}
