package dev.kindling.optim.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ObjectiveTest {
  private static final Objective F1 = new F1("questions", 4, 8);
  private static final Objective EXACT = new ExactMatch("questions", 4, 8);

  @Test
  void wordsCountWithoutCaseArticlesAndPunctuation() {
    assertThat(EXACT.value(" The Eiffel  Tower.", "eiffel tower")).isEqualTo(1);
    assertThat(EXACT.value("tower eiffel", "eiffel tower")).isZero();
    assertThat(F1.value("tower eiffel", "eiffel tower")).isEqualTo(1);
  }

  /** Two of three written words are among the four right ones, a repeated one once. */
  @Test
  void f1IsTheHarmonicMeanOfPrecisionAndRecall() {
    double precision = 2 / 3.0;
    double recall = 2 / 4.0;
    assertThat(F1.value("red red blue", "red blue green black"))
        .isCloseTo(2 * precision * recall / (precision + recall), within(1e-12));
    assertThat(F1.value("", "red")).isZero();
    assertThat(F1.value("the", "a")).isEqualTo(1);
    assertThat(F1.value("red", "blue")).isZero();
  }

  @Test
  void whatAnObjectiveCannotReadItRefuses() {
    assertThat(new Accuracy("questions", 4).value(true)).isEqualTo(1);
    assertThat(new Accuracy("questions", 4).value(false)).isZero();
    assertThatThrownBy(() -> F1.value(true)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> new F1("", 0, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("questions")
        .hasMessageContaining("batch")
        .hasMessageContaining("tokens");
  }
}
