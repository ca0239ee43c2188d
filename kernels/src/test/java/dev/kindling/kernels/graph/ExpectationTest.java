package dev.kindling.kernels.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class ExpectationTest {
  @Test
  void everythingWrongIsReportedAtOnceInOrder() {
    Expectation e = new Expectation();
    e.positive("lr", 0).notNegative("decay", Double.POSITIVE_INFINITY).fraction("beta", 1);
    e.atLeast("ranks", 0, 1).notEmpty("path", "", "a file");
    e.multipleOf("batch", 70, 32, "sequence").multipleOf("batch", 7, 32, "2 * 16");
    e.divisorOf("ranks", 3, 8, "shards").divisorOf("ranks", 9, 8, "shards");
    assertThat(e.holds()).isFalse();
    assertThatThrownBy(e::orThrow)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            lr: expected a number above 0, found 0.0
            decay: expected a number of 0 or more, found Infinity
            beta: expected a number in [0, 1), found 1.0
            ranks: expected 1 or more, found 0
            path: expected a file, found an empty text
            batch: expected a multiple of sequence 32, found 70 (nearest: 64 or 96)
            batch: expected a multiple of 2 * 16 = 32, found 7 (nearest: 32)
            ranks: expected a divisor of shards 8, found 3 (nearest: 2 or 4)
            ranks: expected a divisor of shards 8, found 9 (nearest: 8)""");
  }

  @Test
  void whatHoldsIsSilent() {
    Expectation e = new Expectation();
    e.positive("lr", 1e-300).notNegative("decay", 0).fraction("beta", 0).atLeast("ranks", 1, 1);
    e.notEmpty("path", "x", "a file")
        .notEmpty("paths", List.of(1), "one")
        .multipleOf("batch", 64, 32, "sequence");
    e.divisorOf("ranks", 4, 8, "shards");
    assertThat(e.holds()).isTrue();
    e.orThrow();
  }

  @Test
  void notANumberIsNeverInRange() {
    Expectation e = new Expectation();
    e.positive("a", Double.NaN).notNegative("b", Double.NaN).fraction("c", Double.NaN);
    assertThatThrownBy(e::orThrow).message().hasLineCount(3);
  }
}
