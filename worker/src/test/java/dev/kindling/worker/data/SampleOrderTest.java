package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SampleOrderTest {
  private static final long SEED = Long.getLong("seed", 20261122L);

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 207, 702, 1000, 4097, 65536, 100_003})
  void eachEpochIsAPermutation(long samples) {
    SampleOrder order = new SampleOrder(SEED, samples);
    for (long epoch : new long[] {0, 1, 2, 1_000_000_007L}) {
      BitSet seen = new BitSet();
      for (long index = 0; index < samples; index++) {
        long sample = order.at(epoch, index);
        assertThat(sample).as("seed %d", SEED).isBetween(0L, samples - 1);
        assertThat(seen.get((int) sample)).as("seed %d sample %d twice", SEED, sample).isFalse();
        seen.set((int) sample);
      }
    }
  }

  @Test
  void epochsAndSeedsGiveOtherOrders() {
    int samples = 10_000;
    assertThat(fixedPoints(new SampleOrder(SEED, samples), 0, new SampleOrder(SEED, samples), 1))
        .isLessThan(30);
    assertThat(
            fixedPoints(new SampleOrder(SEED, samples), 0, new SampleOrder(SEED + 1, samples), 0))
        .isLessThan(30);
  }

  private static int fixedPoints(SampleOrder a, long epochA, SampleOrder b, long epochB) {
    int equal = 0;
    for (long i = 0; i < a.samples(); i++) {
      equal += a.at(epochA, i) == b.at(epochB, i) ? 1 : 0;
    }
    return equal;
  }

  @Test
  void firstQuarterIsSpreadOverTheSplit() {
    SampleOrder order = new SampleOrder(SEED, 40_000);
    int[] bins = new int[16];
    for (int i = 0; i < 10_000; i++) {
      bins[(int) (order.at(i) / 2_500)]++;
    }
    for (int bin : bins) {
      // Mean 625, standard deviation about 21.
      assertThat(bin).as("seed %d", SEED).isBetween(625 - 126, 625 + 126);
    }
  }

  @Test
  void stepsReachOverTheEndOfAnEpoch() {
    SampleOrder order = new SampleOrder(SEED, 10);
    TreeSet<Long> first = new TreeSet<>();
    for (long place = 0; place < 10; place++) {
      first.add(order.at(place));
    }
    assertThat(first).hasSize(10);
    assertThat(order.at(13)).isEqualTo(order.at(1, 3));
  }

  @Test
  void slicesOfAllRanksAreTheBatchForEveryWorldSize() {
    for (int worldSize : new int[] {1, 2, 3, 4, 6, 12}) {
      TreeSet<Long> places = new TreeSet<>();
      for (int rank = 0; rank < worldSize; rank++) {
        BatchSlice slice = new BatchSlice(rank, worldSize, 24, 2);
        for (int micro = 0; micro < slice.microSteps(); micro++) {
          for (int k = 0; k < 2; k++) {
            assertThat(places.add(slice.position(5, micro, k))).isTrue();
          }
        }
      }
      assertThat(places).hasSize(24).startsWith(120L).endsWith(143L);
    }
  }

  @Test
  void valuesAreFixedForever() {
    // Computed by a second program in another language. A changed order would make every resumed
    // run read other samples than its first part.
    SampleOrder order = new SampleOrder(1, 1000);
    assertThat(new long[] {order.at(0), order.at(1), order.at(2), order.at(1, 0)})
        .containsExactly(811, 353, 13, 936);
  }

  @Test
  void noSamplesAreRefused() {
    assertThatThrownBy(() -> new SampleOrder(1, 0)).hasMessageContaining("at least 1");
  }
}
