package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which columns of a matrix are trained. */
class PartialWeightTest {
  private static final ModelFamily MODEL = AdaptedRank.families().get(2);

  private static Weight map(String name) {
    return MODEL.maps().stream().filter(w -> w.name().endsWith(name)).findFirst().orElseThrow();
  }

  private static List<Integer> chosen(Weight weight, int count, long seed) {
    return PartialWeight.chosen(weight, count, 1, seed).columns().indices();
  }

  /** Ascending, so that their reads and writes fall together. */
  @Test
  void columnsAreDifferentOnesInOrder() {
    for (Weight weight : MODEL.maps()) {
      for (int count = 1; count <= weight.in(); count++) {
        List<Integer> columns = chosen(weight, count, AdaptedRank.SEED);
        assertThat(columns).hasSize(count).isSorted().doesNotHaveDuplicates();
        assertThat(columns).allMatch(column -> column >= 0 && column < weight.in());
      }
    }
  }

  /** Maps of one input too: the choice is that of the name and the seed, and of nothing before. */
  @Test
  void everyMapAndSeedHasAChoiceOfItsOwn() {
    Set<List<Integer>> all = new HashSet<>();
    for (String name : List.of("0.self_attn.q_proj", "0.self_attn.k_proj", "0.self_attn.v_proj")) {
      for (long seed = 0; seed < 4; seed++) {
        List<Integer> columns = chosen(map(name), 4, seed);
        assertThat(chosen(map(name), 4, seed)).isEqualTo(columns);
        all.add(columns);
      }
    }
    // Twelve of seventy: some may coincide.
    assertThat(all).hasSizeGreaterThan(7);
  }

  /** A column that is never chosen would be a mistake of the permutation. */
  @Test
  void everyColumnIsChosenEquallyOften() {
    Weight weight = map("0.mlp.down_proj");
    int seeds = 6000;
    int count = 3;
    int[] times = new int[weight.in()];
    for (long seed = 0; seed < seeds; seed++) {
      chosen(weight, count, seed).forEach(column -> times[column]++);
    }
    double share = (double) count / weight.in();
    double deviation = Math.sqrt(seeds * share * (1 - share));
    List<Double> off = new ArrayList<>();
    for (int each : times) {
      off.add((each - seeds * share) / deviation);
    }
    assertThat(off).allSatisfy(z -> assertThat(z).isCloseTo(0, within(4.0)));
  }
}
