package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import org.junit.jupiter.api.Test;

class PhiloxTest {
  /** The known answers of the authors' library, file kat_vectors. */
  @Test
  void knownAnswers() {
    assertBlock("00000000 00000000 00000000 00000000", 0L, "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    assertBlock("ffffffff ffffffff ffffffff ffffffff", -1L, "408f276d 41c83b0e a20bc7c6 6d5451fd");
    assertBlock(
        "243f6a88 85a308d3 13198a2e 03707344",
        0x299f31d0a4093822L,
        "d16cfe09 94fdcceb 5001e420 24126ea1");
  }

  private static void assertBlock(String counter, long key, String expected) {
    int[] words = parse(counter);
    Philox.block(words, key);
    assertThat(words).containsExactly(parse(expected));
  }

  private static int[] parse(String words) {
    int[] parsed = new int[4];
    for (int i = 0; i < 4; i++) {
      parsed[i] = Integer.parseUnsignedInt(words.substring(9 * i, 9 * i + 8), 16);
    }
    return parsed;
  }

  @Test
  void normalHasItsMoments() {
    int count = 200_000;
    double sum = 0;
    double squares = 0;
    double fourth = 0;
    double neighbours = 0;
    double last = 0;
    for (int i = 0; i < count; i++) {
      double x = Philox.normal(7, i);
      sum += x;
      squares += x * x;
      fourth += x * x * x * x;
      neighbours += x * last;
      last = x;
    }
    double sigma = 1 / Math.sqrt(count);
    assertThat(sum / count).isCloseTo(0, within(4 * sigma));
    assertThat(squares / count).isCloseTo(1, within(4 * Math.sqrt(2) * sigma));
    assertThat(fourth / count).isCloseTo(3, within(4 * Math.sqrt(96) * sigma));
    assertThat(neighbours / count).isCloseTo(0, within(4 * sigma));
  }

  @Test
  void uniformIsInRangeAndDependsOnBothArguments() {
    for (long i = 0; i < 1000; i++) {
      assertThat(Philox.uniform(3, i)).isBetween(0.0, Math.nextDown(1.0));
      assertThat(Philox.bits(3, i)).isNotEqualTo(Philox.bits(3, i + 1));
      assertThat(Philox.bits(3, i)).isNotEqualTo(Philox.bits(4, i));
    }
  }

  @Test
  void initializationIsThePureFunctionOneByOne() {
    Param param = param("model.layers.0.weight", Init.normal(0.02));
    try (Span span = Span.allocate(7 * 13 * 4)) {
      Initialization.fill(param, 42, span);
      long key = Initialization.key(42, param.name());
      for (int i = 0; i < 7 * 13; i++) {
        assertThat(span.getFloat(i)).isEqualTo((float) (0.02 * Philox.normal(key, i)));
      }
    }
  }

  @Test
  void seedAndNameBothChangeTheKey() {
    long key = Initialization.key(1, "a");
    assertThat(Initialization.key(2, "a")).isNotEqualTo(key);
    assertThat(Initialization.key(1, "b")).isNotEqualTo(key);
  }

  @Test
  void constantsFill() {
    try (Span span = Span.allocate(7 * 13 * 4)) {
      Initialization.fill(param("ones", Init.ones()), 1, span);
      assertThat(span.toFloats()).containsOnly(1f);
      Initialization.fill(param("zeros", Init.zeros()), 1, span);
      assertThat(span.toFloats()).containsOnly(0f);
    }
  }

  private static Param param(String name, Init init) {
    return new Param(name, Shape.of(7, 13), Demand.whole(), init, true);
  }
}
