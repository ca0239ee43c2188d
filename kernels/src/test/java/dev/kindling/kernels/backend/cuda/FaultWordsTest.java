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

  @Test
  void equalPlacesShareAWord() {
    FaultWords words = new FaultWords(4096);
    long first = words.word("Embedding: token id at position", IDS, 50);
    assertThat(first).isEqualTo(4096);
    assertThat(words.word("CrossEntropy: target of row", IDS, 50)).isEqualTo(4100);
    assertThat(words.word("Embedding: token id at position", IDS, 50)).isEqualTo(first);
  }

  @Test
  void aLoweredWordNamesPlaceAndNumber() {
    FaultWords words = new FaultWords(4096);
    words.word("Embedding: token id at position", IDS, 50);
    words.word("CrossEntropy: target of row", IDS, 50);
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
  void moreKindsThanWordsAreRefused() {
    FaultWords words = new FaultWords(0);
    for (int rows = 1; rows <= FaultWords.BYTES / 4; rows++) {
      words.word("Embedding: token id at position", IDS, rows);
    }
    assertThatThrownBy(() -> words.word("Embedding: token id at position", IDS, 1000))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("at most 32");
  }
}
