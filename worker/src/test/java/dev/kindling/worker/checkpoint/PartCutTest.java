package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PartCutTest {
  private static final long MIB = 1 << 20;

  @Test
  void aSmallStateStaysInOnePartAndSoDoesNone() {
    PartCut cut = new PartCut(10, 100);
    assertThat(cut.partOf(List.of(4L, 0L, 6L))).containsExactly(0, 0, 0);
    assertThat(cut.parts(List.of())).isEqualTo(1);
    assertThat(cut.order(List.of())).isEmpty();
  }

  @Test
  void equalTensorsFillAMultipleOfTheSinksEvenly() {
    List<Integer> partOf = new PartCut(10, 3).partOf(Collections.nCopies(48, 1L));
    Map<Integer, Integer> sizes = new HashMap<>();
    partOf.forEach(part -> sizes.merge(part, 1, Integer::sum));
    assertThat(sizes).hasSize(2 * PartCut.SINKS).values().containsOnly(3);
    assertThat(partOf).isSorted();
  }

  @Test
  void aTensorLargerThanItsShareStaysWholeAndNoNumberIsLeftOut() {
    List<Integer> partOf = new PartCut(0, 1000).partOf(List.of(1L, 1L, 900L, 1L, 50L, 50L));
    assertThat(partOf).startsWith(0, 0, 1).isSorted();
    assertThat(partOf.get(5)).isEqualTo(partOf.stream().distinct().count() - 1);
  }

  @Test
  void partsOfAnySizeThatCanBeAskedForAreCounted() {
    long most = Long.MAX_VALUE / PartCut.SINKS;
    assertThat(new PartCut(0, most).parts(Collections.nCopies(48, 1L))).isEqualTo(PartCut.SINKS);
    assertThat(new PartCut(1L << 40, most).parts(List.of(1L << 40))).isEqualTo(1);
    assertThatThrownBy(() -> new PartCut(0, most + 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected sizes");
  }

  @Test
  void theLargestModelOfTheBenchmarksHasPartsBelowAGibibyte() {
    List<Long> llama = new ArrayList<>(List.of(262 * MIB));
    for (int layer = 0; layer < 24; layer++) {
      llama.addAll(List.of(16 * MIB, 16 * MIB, 16 * MIB, 16 * MIB, 43 * MIB, 43 * MIB, 43 * MIB));
    }
    List<Integer> partOf = PartCut.USUAL.partOf(llama);
    long[] bytes = new long[PartCut.USUAL.parts(llama)];
    for (int tensor = 0; tensor < llama.size(); tensor++) {
      bytes[partOf.get(tensor)] += llama.get(tensor);
    }
    assertThat(bytes).hasSize(PartCut.SINKS);
    for (long part : bytes) {
      assertThat(part).isBetween(500 * MIB, 800 * MIB);
    }
  }

  @Test
  void theOrderAsksEveryByteOnceAndTakesTurnsAmongTheSinks() {
    List<Long> bytes = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      bytes.add(i % 7 == 0 ? 5 * MIB + 12 : 4L * i);
    }
    PartCut cut = new PartCut(0, 2 * MIB);
    List<PartCut.Piece> order = cut.order(bytes);
    long[] next = new long[bytes.size()];
    Map<Integer, Integer> lastOfSink = new HashMap<>();
    for (PartCut.Piece piece : order) {
      assertThat(piece.from()).isEqualTo(next[piece.tensor()]);
      assertThat(piece.bytes()).isBetween(1, PartCut.PIECE_BYTES);
      next[piece.tensor()] += piece.bytes();
      Integer before = lastOfSink.put(piece.part() % PartCut.SINKS, piece.tensor());
      assertThat(before == null || before <= piece.tensor()).as("in order in its sink").isTrue();
    }
    for (int tensor = 0; tensor < next.length; tensor++) {
      assertThat(next[tensor]).isEqualTo(bytes.get(tensor));
    }
    assertThat(order.subList(0, 5).stream().map(piece -> piece.part() % PartCut.SINKS))
        .doesNotHaveDuplicates();
  }
}
