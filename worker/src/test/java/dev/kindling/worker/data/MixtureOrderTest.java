package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MixtureOrderTest {
  private static final long SEED = Long.getLong("seed", 31L);

  private static List<Manifest.Share> shares(double[] weights, long[] sequences) {
    List<Manifest.Share> shares = new ArrayList<>();
    for (int k = 0; k < weights.length; k++) {
      shares.add(new Manifest.Share(weights[k], sequences[k]));
    }
    return shares;
  }

  @Test
  void everyPartKeepsItsShareAndGivesEachSampleOncePerEpochOfItsOwn() {
    Random random = new Random(SEED);
    for (int trial = 0; trial < 20; trial++) {
      int parts = 1 + random.nextInt(5);
      double[] weights = random.doubles(parts, 0.05, 1).toArray();
      double sum = java.util.Arrays.stream(weights).sum();
      long[] sequences = random.longs(parts, 1, 60).toArray();
      MixtureOrder order = new MixtureOrder(SEED + trial, shares(weights, sequences));
      long[] given = new long[parts];
      List<Set<Long>> epochs = new ArrayList<>();
      for (int k = 0; k < parts; k++) {
        epochs.add(new HashSet<>());
      }
      for (int place = 0; place < 3500; place++) {
        long sample = order.at(place);
        int part = 0;
        while (sample >= sequences[part]) {
          sample -= sequences[part++];
        }
        assertThat(epochs.get(part).add(sample)).as("seed %d, twice in an epoch", SEED).isTrue();
        if (epochs.get(part).size() == sequences[part]) {
          epochs.get(part).clear();
        }
        given[part]++;
        for (int k = 0; k < parts; k++) {
          // Shares are kept to a thousandth, which over 3,500 places is up to 3.5 samples.
          double share = (place + 1) * weights[k] / sum;
          assertThat((double) given[k]).as("seed %d", SEED).isBetween(share - 6, share + 6);
        }
      }
    }
  }

  @Test
  void weightsThatDivideThePeriodAreExactAndPartsOfEqualSizeDoNotWalkInStep() {
    MixtureOrder order =
        new MixtureOrder(SEED, shares(new double[] {7, 3}, new long[] {10_000, 10_000}));
    int second = 0;
    List<Long> firsts = new ArrayList<>();
    List<Long> seconds = new ArrayList<>();
    for (int place = 0; place < 10_000; place++) {
      long sample = order.at(place);
      second += sample >= 10_000 ? 1 : 0;
      (sample >= 10_000 ? seconds : firsts).add(sample % 10_000);
    }
    assertThat(second).isEqualTo(3000);
    assertThat(firsts.subList(0, 100)).isNotEqualTo(seconds.subList(0, 100));
  }

  @Test
  void aPartWithNearlyNoWeightStillComes() {
    MixtureOrder order =
        new MixtureOrder(SEED, shares(new double[] {1, 1e-9, 1e-9}, new long[] {5, 1, 1}));
    Set<Long> seen = new HashSet<>();
    for (int place = 0; place < MixtureOrder.PERIOD; place++) {
      seen.add(order.at(place));
    }
    assertThat(seen).hasSize(7);
  }
}
