package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class EvenRunsTest {
  private static List<Long> at(long... addresses) {
    List<Long> place = new ArrayList<>();
    for (long address : addresses) {
      place.add(address);
    }
    return place;
  }

  /** Four matrices side by side in each of five layers: one of each layer makes the longer run. */
  @Test
  void layersGoTogether() {
    List<List<Long>> places = new ArrayList<>();
    for (int layer = 0; layer < 5; layer++) {
      for (int matrix = 0; matrix < 4; matrix++) {
        places.add(at(1000L * layer + 10L * matrix, 40L * layer + 10L * matrix));
      }
    }
    assertThat(EvenRuns.of(places))
        .containsExactly(
            List.of(0, 4, 8, 12, 16),
            List.of(1, 5, 9, 13, 17),
            List.of(2, 6, 10, 14, 18),
            List.of(3, 7, 11, 15, 19));
  }

  @Test
  void everyAddressGrowsByAStepOfItsOwn() {
    assertThat(EvenRuns.of(List.of(at(7, 30), at(8, 35), at(9, 40))))
        .containsExactly(List.of(0, 1, 2));
    // The second address stands still, shrinks, or jumps.
    assertThat(EvenRuns.of(List.of(at(7, 30), at(8, 30)))).hasSize(2);
    assertThat(EvenRuns.of(List.of(at(7, 30), at(8, 20)))).hasSize(2);
    assertThat(EvenRuns.of(List.of(at(7, 30), at(8, 35), at(9, 45))))
        .containsExactly(List.of(0, 1), List.of(2));
    assertThat(EvenRuns.of(List.of(at(5)))).containsExactly(List.of(0));
    assertThat(EvenRuns.of(List.of())).isEmpty();
  }

  /** Whatever the places are: each is in one run, and runs are even. */
  @Test
  void runsCoverAnyPlacesEvenly() {
    SplittableRandom random = new SplittableRandom(Long.getLong("seed", 3L));
    for (int round = 0; round < 200; round++) {
      int bound = 1 + random.nextInt(60);
      List<List<Long>> places =
          random
              .ints(random.nextInt(40), 0, bound)
              .distinct()
              .mapToObj(i -> at(i, (i * 7L) % bound))
              .toList();
      List<Integer> seen = new ArrayList<>();
      for (List<Integer> run : EvenRuns.of(places)) {
        seen.addAll(run);
        for (int i = 2; i < run.size(); i++) {
          for (int address = 0; address < 2; address++) {
            long first = places.get(run.get(0)).get(address);
            long step = places.get(run.get(1)).get(address) - first;
            assertThat(step).isPositive();
            assertThat(places.get(run.get(i)).get(address)).isEqualTo(first + i * step);
          }
        }
      }
      assertThat(seen.stream().sorted().toList())
          .isEqualTo(java.util.stream.IntStream.range(0, places.size()).boxed().toList());
    }
  }
}
