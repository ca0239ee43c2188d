package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.memory.Span;
import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.math.MathContext;
import org.junit.jupiter.api.Test;

class IntegerPowerTest {
  private static final MathContext EXACT = new MathContext(60);

  @Test
  void powersAreRoundedOnce() {
    for (double base : new double[] {0.9, 0.95, 0.99, 0.999, 0.9999, 0.1}) {
      for (int exponent : new int[] {0, 1, 2, 3, 10, 99, 100, 257, 1000, 4097, 65_535}) {
        double exact = new BigDecimal(base).pow(exponent, EXACT).doubleValue();
        // The low halves leave the range of doubles far before the power does; 1 minus it is 1.
        if (exact > 1e-200 || exact == 0) {
          assertThat(IntegerPower.of(base, exponent)).as(base + "^" + exponent).isEqualTo(exact);
        } else {
          assertThat(IntegerPower.of(base, exponent)).isBetween(0.0, 1e-199);
        }
      }
    }
    assertThat(IntegerPower.of(0, 0)).isEqualTo(1);
    assertThat(IntegerPower.of(0, 7)).isZero();
    assertThat(IntegerPower.of(1, Long.MAX_VALUE)).isEqualTo(1);
  }

  /** The first steps too, before anything is compiled. */
  @Test
  void aStepBlockLeavesNoGarbage() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    AdamW rule = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0);
    try (Span block = Span.allocate((long) StepScalar.values().length * Float.BYTES)) {
      rule.fillStep(block, 1, 1.0);
      long before = threads.getCurrentThreadAllocatedBytes();
      long asking = threads.getCurrentThreadAllocatedBytes() - before;
      before = threads.getCurrentThreadAllocatedBytes();
      for (int update = 2; update < 500; update++) {
        rule.fillStep(block, update, 1.0);
      }
      assertThat(threads.getCurrentThreadAllocatedBytes() - before - asking).isZero();
    }
  }
}
