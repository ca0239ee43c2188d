package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RobustMeanTest {
  private static RobustMean of(double mean, double sigma, int values) {
    Random random = new Random(1);
    RobustMean robust = new RobustMean();
    for (int i = 0; i < values; i++) {
      robust.add(mean + sigma * random.nextGaussian());
    }
    return robust;
  }

  @Test
  void zCountsStandardDeviations() {
    RobustMean robust = of(5, 0.5, 5000);
    assertThat(robust.z(5)).isCloseTo(0, within(0.5));
    assertThat(robust.z(6) - robust.z(5)).isCloseTo(2, within(0.6));
  }

  @Test
  void anOutlierOfAnySizeMovesItAsFarAsOneAtTheBound() {
    RobustMean huge = of(5, 0.5, 500);
    RobustMean large = of(5, 0.5, 500);
    huge.add(1e30);
    large.add(100);
    assertThat(huge.encode()).isEqualTo(large.encode());
    assertThat(huge.z(8)).isGreaterThan(4);
  }

  @Test
  void theFirstValuesAreFarFromNothing() {
    RobustMean robust = new RobustMean();
    assertThat(robust.z(1e9)).isZero();
    robust.add(3);
    assertThat(robust.z(1e9)).isZero();
  }

  @Test
  void textReadsBackBitForBit() {
    RobustMean robust = of(-2, 0.1, 77);
    RobustMean read = RobustMean.decode(robust.encode());
    robust.add(-1.9);
    read.add(-1.9);
    assertThat(read.encode()).isEqualTo(robust.encode());
    assertThatThrownBy(() -> RobustMean.decode("1 2")).hasMessageContaining("3 words");
  }
}
