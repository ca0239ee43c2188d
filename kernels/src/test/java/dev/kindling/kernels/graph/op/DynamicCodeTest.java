package dev.kindling.kernels.graph.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class DynamicCodeTest {
  @Test
  void numbersAscendFromTheLeastToOneAndHoldZero() {
    for (DynamicCode code : new DynamicCode[] {DynamicCode.SIGNED, DynamicCode.UNSIGNED}) {
      float[] numbers = code.numbers();
      assertThat(numbers).hasSize(256).contains(0f).endsWith(1f).isSorted();
      assertThat(numbers).doesNotHaveDuplicates();
    }
    assertThat(DynamicCode.UNSIGNED.number(0)).isZero();
    assertThat(DynamicCode.SIGNED.number(0)).isCloseTo(-0.993f, within(1e-3f));
    // Half of all codes lie in the decade below 1, a quarter in the one below that.
    assertThat(DynamicCode.UNSIGNED.number(127)).isCloseTo(0.1035f, within(1e-4f));
    assertThat(DynamicCode.UNSIGNED.number(1)).isCloseTo(3.25e-7f, within(1e-9f));
  }

  @Test
  void eachNumberIsItsOwnCodeAndTheRestGoesToTheNearest() {
    for (DynamicCode code : new DynamicCode[] {DynamicCode.SIGNED, DynamicCode.UNSIGNED}) {
      float[] numbers = code.numbers();
      float[] limits = code.limits();
      for (int i = 0; i < 256; i++) {
        assertThat(code.code(numbers[i])).isEqualTo(i);
      }
      for (int i = 0; i < 255; i++) {
        assertThat(code.code(limits[i])).isEqualTo(i);
        assertThat(code.code(Math.nextUp(limits[i]))).isEqualTo(i + 1);
      }
      assertThat(code.code(2)).isEqualTo(255);
      assertThat(code.code(-2)).isZero();
    }
  }
}
