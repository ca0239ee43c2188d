package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Weight;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What follows from matrices that are larger than what is read of them at a time. */
class MatrixRowsTest {
  /** A row of 1 MiB. */
  private static final int IN = 1 << 18;

  private static final int OUT = 40;

  /** Of Llama 3's vocabulary at the width of 70 billion: 4.2 GB in fp32. */
  private static final int HEAD_ROWS = 128_256;

  private static final int HEAD_WIDTH = 8192;

  private final List<Long> spans = new ArrayList<>();

  private static Weight weight(WeightLayout layout, int in, int out) {
    return new Weight("map", in, out, layout, false, 0.02);
  }

  /** Element (out, in) of a matrix is out + in / 2^18, in either layout. */
  private FirstValues matrix(Weight weight) {
    return (param, from, target) -> {
      spans.add(target.bytes());
      for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
        long at = from + i;
        boolean outIn = weight.layout() == WeightLayout.OUT_IN;
        target.putFloat(
            i,
            value(
                weight,
                outIn ? at / weight.in() : at % weight.out(),
                outIn ? at % weight.in() : at / weight.out()));
      }
    };
  }

  private static float value(Weight weight, long out, long in) {
    return (float) (out + (double) in / weight.in());
  }

  @ParameterizedTest
  @EnumSource(WeightLayout.class)
  void lengthsAndColumnsAreThoseOfTheWhole(WeightLayout layout) {
    Weight weight = weight(layout, IN, OUT);
    try (Span lengths = Span.allocate((OUT - 3) * Float.BYTES);
        Span columns = Span.allocate((2 * OUT - 5) * Float.BYTES)) {
      DerivedValues.lengths(weight, matrix(weight), 2, lengths);
      for (int i = 0; i < OUT - 3; i++) {
        double a = i + 2;
        // The mean square of a + u, u uniform in [0, 1).
        double expected = Math.sqrt(IN * (a * a + a + 1.0 / 3));
        assertThat((double) lengths.getFloat(i) / expected).isCloseTo(1, within(1e-5));
      }
      DerivedValues.columns(weight, new Columns(List.of(7, IN - 1)), matrix(weight), 3, columns);
      for (int i = 0; i < 2 * OUT - 5; i++) {
        int at = i + 3;
        boolean outIn = layout == WeightLayout.OUT_IN;
        int out = outIn ? at / 2 : at % OUT;
        int in = (outIn ? at % 2 : at / OUT) == 0 ? 7 : IN - 1;
        assertThat(columns.getFloat(i)).isEqualTo(value(weight, out, in));
      }
    }
    if (layout == WeightLayout.OUT_IN) {
      assertThat(spans).hasSizeGreaterThan(5).allMatch(bytes -> bytes <= 16 << 20);
    }
  }

  /** 4 KiB behind the first 2 GiB of a merged head. */
  @Test
  void aPieceOfAMergedHeadReadsItsOwnRows() {
    Weight head = weight(WeightLayout.OUT_IN, HEAD_WIDTH, HEAD_ROWS);
    Branch branch = new Branch(head, 1, 2, BranchKind.BESIDE);
    FirstValues factors =
        (param, from, target) -> {
          for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
            target.putFloat(i, param.name().endsWith(Branch.UP) ? (from + i) % 5 : (from + i) % 3);
          }
        };
    long from = 70_000L * HEAD_WIDTH + HEAD_WIDTH - 500;
    try (Span piece = Span.allocate(4096)) {
      new MergedWeight(branch, matrix(head), factors).fill(from, piece);
      for (int i = 0; i < 1024; i++) {
        long out = (from + i) / HEAD_WIDTH;
        long in = (from + i) % HEAD_WIDTH;
        float expected = (float) ((double) value(head, out, in) + 2.0 * (out % 5) * (in % 3));
        assertThat(piece.getFloat(i)).isEqualTo(expected);
      }
    }
    assertThat(spans).containsExactly(2L * HEAD_WIDTH * Float.BYTES);
  }

  @Test
  void aMatrixThatMustBeReadWholeAndCannotIsNamed() {
    Weight head = weight(WeightLayout.IN_OUT, HEAD_WIDTH, HEAD_ROWS);
    try (Span length = Span.allocate(Float.BYTES)) {
      assertThatThrownBy(() -> DerivedValues.lengths(head, matrix(head), 0, length))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("map.weight: expected less than 2 GiB in fp32")
          .hasMessageContaining("found 4202692608 bytes");
    }
    assertThat(spans).isEmpty();
  }
}
