package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TensorOwnersTest {
  @Test
  void everyTensorHasOneOwnerWhateverTheOrderAndLoadsAreBalanced() {
    Random random = new Random(3);
    Map<String, Long> bytes = new LinkedHashMap<>();
    Map<String, Long> reversed = new LinkedHashMap<>();
    for (int i = 0; i < 100; i++) {
      bytes.put("t" + i, 64L + random.nextInt(1000));
    }
    bytes.entrySet().stream()
        .sorted(Map.Entry.<String, Long>comparingByKey().reversed())
        .forEach(e -> reversed.put(e.getKey(), e.getValue()));
    for (int worldSize : new int[] {1, 2, 3, 7, 128}) {
      Map<String, Integer> owners = TensorOwners.of(bytes, worldSize);
      assertThat(owners).isEqualTo(TensorOwners.of(reversed, worldSize)).hasSize(100);
      long[] load = new long[worldSize];
      owners.forEach((name, rank) -> load[rank] += bytes.getOrDefault(name, 0L));
      long most = java.util.Arrays.stream(load).max().orElseThrow();
      long least = java.util.Arrays.stream(load).min().orElseThrow();
      assertThat(most - least).isLessThanOrEqualTo(1064);
    }
  }
}
