package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.data.SkippedBatches.Range;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SkippedBatchesTest {
  @Test
  void stepsFeedWhatIsNotLeftOut() {
    SkippedBatches skipped = SkippedBatches.NONE.and(new Range(6, 6)).and(new Range(2, 3));
    assertThat(LongStream.range(0, 7).map(skipped::batchOf))
        .containsExactly(0L, 1L, 4L, 5L, 7L, 8L, 9L);
    assertThat(LongStream.range(0, 3).map(SkippedBatches.NONE::batchOf))
        .containsExactly(0L, 1L, 2L);
  }

  @Test
  void rangesThatTouchBecomeOne() {
    SkippedBatches skipped =
        SkippedBatches.NONE
            .and(new Range(10, 12))
            .and(new Range(2, 3))
            .and(new Range(4, 5))
            .and(new Range(9, 20));
    assertThat(skipped.ranges()).isEqualTo(List.of(new Range(2, 5), new Range(9, 20)));
  }

  @Test
  void textReadsBack() {
    SkippedBatches skipped = SkippedBatches.NONE.and(new Range(10, 12)).and(new Range(2, 3));
    assertThat(skipped.encode()).isEqualTo("2-3,10-12");
    assertThat(SkippedBatches.decode(skipped.encode())).isEqualTo(skipped);
    assertThat(SkippedBatches.decode("")).isEqualTo(SkippedBatches.NONE);
    for (String bad : List.of("1", "3-2", "a-b", "1-2,")) {
      assertThatThrownBy(() -> SkippedBatches.decode(bad))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
