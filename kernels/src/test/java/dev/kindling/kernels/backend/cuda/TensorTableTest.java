package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TensorTableTest {
  @Test
  void everyStartedPieceIsABlock() {
    TensorTable table = new TensorTable();
    table.add(new TensorTable.Entry(4096, 8192, TensorTable.PIECE_ELEMENTS));
    table.add(new TensorTable.Entry(4096, 8192, TensorTable.PIECE_ELEMENTS + 1));
    table.add(new TensorTable.Entry(4096, 8192, 1));
    assertThat(table.pieces()).isEqualTo(1 + 2 + 1);
    assertThat(table.bytes()).isEqualTo(3 * 64 + 4 * 16);
    assertThat(table.piecesAt(1 << 20)).isEqualTo((1 << 20) + 3 * 64);
  }
}
