package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.layout.Element;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class TensorTableTest {
  @Test
  void everyStartedPieceIsABlock() {
    TensorTable table = new TensorTable();
    table.add(new TensorTable.Entry(4096, 8192, TensorTable.PIECE_ELEMENTS));
    table.add(new TensorTable.Entry(4096, 8192, TensorTable.PIECE_ELEMENTS + 1));
    table.add(new TensorTable.Entry(4096, 8192, 1));
    assertThat(table.pieces()).isEqualTo(1 + 2 + 1);
    assertThat(table.bytes()).isEqualTo(3 * 72 + 4 * 16);
    assertThat(table.piecesAt(1 << 20)).isEqualTo((1 << 20) + 3 * 72);
  }

  @Test
  void eachPieceSaysWhetherItsSourceIsNarrow() {
    TensorTable table = new TensorTable();
    table.add(new TensorTable.Entry(4096, 8192, 3));
    table.add(
        new TensorTable.Entry(4096, 8192, TensorTable.PIECE_ELEMENTS + 1).reading(Element.BF16));
    ByteBuffer content = table.content();
    int pieces = 2 * 72;
    assertThat(content.getInt(pieces + 4)).isZero();
    assertThat(content.getInt(pieces + 16 + 4)).isEqualTo(1);
    assertThat(content.getInt(pieces + 32 + 4)).isEqualTo(1);
    assertThat(content.getLong(pieces + 32 + 8)).isEqualTo(TensorTable.PIECE_ELEMENTS);
  }
}
