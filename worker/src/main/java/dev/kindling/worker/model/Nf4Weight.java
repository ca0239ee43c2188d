package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.nf4.Nf4Writer;
import java.util.List;

/**
 * A frozen matrix that a run keeps in 4 bits, in the place of its parameter.
 *
 * @param matrix as the model declares it
 */
public record Nf4Weight(Param matrix) {
  /** Read at a time: a matrix is never whole in fp32. A multiple of a block. */
  private static final long PIECE_BYTES = 16L << 20;

  /** Codes, scales, statistics, as {@link Nf4} says. */
  public List<Variable> variables() {
    long elements = matrix.shape().elements();
    return List.of(
        variable("codes", Nf4.codes(elements)),
        variable("scales", Nf4.scales(elements)),
        variable("statistics", Nf4.statistics(elements)));
  }

  private Variable variable(String part, ValueType type) {
    return new Variable("nf4/" + matrix.name() + "/" + part, type, Role.FROZEN);
  }

  /** Unpacks it for the product that follows. */
  public Value read(GraphBuilder b) {
    Value[] packed = variables().stream().map(b::variable).toArray(Value[]::new);
    return b.add(new DequantizeNf4(matrix.shape()), packed).get(0);
  }

  /**
   * Packs the matrix.
   *
   * @param packed a span for each of {@link #variables}
   */
  public void write(FirstValues first, List<Span> packed) {
    long elements = matrix.shape().elements();
    Nf4Writer writer = new Nf4Writer(elements, packed.get(0), packed.get(1), packed.get(2));
    long all = elements * Float.BYTES;
    try (Span piece = Span.allocate(Math.min(all, PIECE_BYTES))) {
      for (long at = 0; at < all; at += PIECE_BYTES) {
        Span part = piece.slice(0, Math.min(all - at, PIECE_BYTES));
        first.fill(matrix, at / Float.BYTES, part);
        writer.write(at / Float.BYTES, part);
      }
    }
    writer.finish();
  }
}
