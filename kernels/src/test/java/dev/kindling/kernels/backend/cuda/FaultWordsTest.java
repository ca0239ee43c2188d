package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import org.junit.jupiter.api.Test;

class FaultWordsTest {
  private static final Variable IDS = new Variable("ids", ValueType.i32(9), Role.INPUT);
  private static final FaultWords.Numbers ALL = new FaultWords.Numbers(IDS, 0);

  @Test
  void equalPlacesShareAWord() {
    FaultWords words = new FaultWords(4096);
    long first = words.word("Embedding: token id at position", ALL, 50);
    assertThat(first).isEqualTo(4096);
    assertThat(words.word("CrossEntropy: target of row", ALL, 50)).isEqualTo(4100);
    assertThat(words.word("Embedding: token id at position", ALL, 50)).isEqualTo(first);
  }

  @Test
  void aLoweredWordNamesPlaceAndNumber() {
    FaultWords words = new FaultWords(4096);
    words.word("Embedding: token id at position", ALL, 50);
    words.word("CrossEntropy: target of row", ALL, 50);
    try (Span host = Span.allocate(64 + FaultWords.BYTES)) {
      FaultWords.reset(host, 64);
      assertThatCode(() -> words.check(host, 64, (ids, place) -> 0)).doesNotThrowAnyException();
      host.putInt(64 / 4 + 1, 7);
      assertThatThrownBy(() -> words.check(host, 64, (ids, place) -> place == 7 ? 60 : 0))
          .isInstanceOf(InputException.class)
          .hasMessage("CrossEntropy: target of row 7: expected 0 to 49, found 60");
    }
  }

  @Test
  void chunksOfRowsShareAWordAndTheWrongNumberTellsItsPlace() {
    FaultWords words = new FaultWords(0);
    long first = words.word("CrossEntropy: target of row", ALL, 50);
    assertThat(words.word("CrossEntropy: target of row", new FaultWords.Numbers(IDS, 3), 50))
        .isEqualTo(first);
    words.word("CrossEntropy: target of row", new FaultWords.Numbers(IDS, 6), 50);
    int[] targets = {0, 1, 2, 3, -100, 5, 6, 77, 8};
    try (Span host = Span.allocate(FaultWords.BYTES)) {
      FaultWords.reset(host, 0);
      host.putInt(0, 1);
      assertThatThrownBy(() -> words.check(host, 0, (ids, place) -> targets[place]))
          .isInstanceOf(InputException.class)
          .hasMessage("CrossEntropy: target of row 7: expected 0 to 49, found 77");
    }
  }

  @Test
  void moreKindsThanWordsAreRefused() {
    FaultWords words = new FaultWords(0);
    for (int rows = 1; rows <= FaultWords.BYTES / 4; rows++) {
      words.word("Embedding: token id at position", ALL, rows);
    }
    assertThatThrownBy(() -> words.word("Embedding: token id at position", ALL, 1000))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("at most 64");
  }
}
