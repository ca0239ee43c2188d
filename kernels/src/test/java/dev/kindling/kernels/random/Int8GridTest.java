package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Int8GridTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final int GROUP = Int8Grid.GROUP;

  private static Span span(float... values) {
    Span span = Span.allocate((long) values.length * Float.BYTES);
    span.put(values);
    return span;
  }

  private static float[] normal(Random random, int count, double mean, double size) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (mean + size * random.nextGaussian());
    }
    return values;
  }

  private static float[] decoded(Span coded, int first, int count) {
    ByteBuffer bytes = coded.buffer();
    int grids = (int) Int8Grid.gridsOf(coded.bytes()) + first / GROUP * Integer.BYTES;
    Span target = Span.allocate((long) count * Float.BYTES);
    ByteBuffer codes = bytes.slice(first, bytes.capacity() - first);
    Int8Grid.decode(codes, bytes.slice(grids, bytes.capacity() - grids), first, target);
    return target.toFloats();
  }

  /** The published code saturates where zero lies outside of the group (see apollo.md, 10.15). */
  @Test
  void nearestIsWithinHalfAScaleForGroupsOfAnySign() {
    Random random = new Random(SEED);
    for (double mean : new double[] {0, 3, -3, 1000, -1000}) {
      for (double size : new double[] {1e-12, 0.02, 1, 1e6}) {
        float[] values = normal(random, 5 * GROUP + 17, mean * size, size);
        Span span = span(values);
        Int8Grid.nearest(span);
        float[] found = span.toFloats();
        for (int first = 0; first < values.length; first += GROUP) {
          float low = 0;
          float high = 0;
          int end = Math.min(values.length, first + GROUP);
          for (int i = first; i < end; i++) {
            low = Math.min(low, values[i]);
            high = Math.max(high, values[i]);
          }
          double scale = Int8Grid.scale(low, high);
          // Half a unit of the least of 16 bits more than 253 intervals, and never below them.
          assertThat(scale * 253 / (high - low)).isBetween(1 - 1e-6, 1 + 0x1p-15);
          for (int i = first; i < end; i++) {
            assertThat((double) found[i])
                .as("element %d, mean %s, size %s, seed %d", i, mean, size, SEED)
                .isCloseTo(values[i], within(scale / 2 * (1 + 1e-5)));
          }
        }
      }
    }
  }

  @Test
  void roundingAtRandomIsRightInTheMeanForTheLargestNumbersToo() {
    float scale = Int8Grid.scale(-1f, 0.7f);
    int draws = 1 << 16;
    for (float w : new float[] {-1f, 0.7f, 0.3f, -1e-4f, 0f, 0.123456f}) {
      double sum = 0;
      for (int random = 0; random < draws; random++) {
        float found = Int8Grid.round(w, scale, random);
        assertThat(Math.abs(found - w)).isLessThan(scale);
        sum += found;
      }
      // All random numbers once: only what lies below 2^-16 of a scale is lost.
      assertThat(sum / draws).isCloseTo(w, within(scale * 0x1.0p-15));
    }
  }

  @Test
  void whatLiesOnAGridIsStoredBitForBit() {
    Random random = new Random(SEED);
    for (int count : new int[] {1, 15, 16, 127, 128, 129, 1000, 4096}) {
      for (int kind = 0; kind < 4; kind++) {
        float[] values = normal(random, count, kind == 1 ? 5 : kind == 2 ? -5 : 0, 0.02);
        for (int first = 0; first < count; first += GROUP) {
          int end = Math.min(count, first + GROUP);
          float low = 0;
          float high = 0;
          for (int i = first; i < end; i++) {
            low = Math.min(low, values[i]);
            high = Math.max(high, values[i]);
          }
          float scale = Int8Grid.scale(low, high);
          for (int i = first; i < end; i++) {
            values[i] = Int8Grid.round(values[i], scale, random.nextInt(1 << 16));
            // Many numbers of a coarse grid, and then none of the finest.
            values[i] = kind == 3 && i % 3 != 0 ? 0f : values[i];
          }
        }
        try (Span span = span(values);
            Span coded = Int8Grid.encode(span)) {
          assertThat(coded.bytes()).isEqualTo(Int8Grid.bytes(count));
          assertThat(Int8Grid.gridsOf(coded.bytes())).isEqualTo(Int8Grid.gridsAt(count));
          assertThat(decoded(coded, 0, count))
              .as("%d numbers of kind %d, seed %d", count, kind, SEED)
              .isEqualTo(values);
          int from = count / 3;
          assertThat(decoded(coded, from, count - from))
              .isEqualTo(java.util.Arrays.copyOfRange(values, from, count));
        }
      }
    }
  }

  @Test
  void whatLiesOnNoGridGoesToTheNearestNumberOfOne() {
    float[] values = normal(new Random(SEED), 1000, 0, 1);
    values[5] = 1e-30f;
    try (Span span = span(values);
        Span coded = Int8Grid.encode(span)) {
      Int8Grid.nearest(span);
      assertThat(decoded(coded, 0, 1000)).isEqualTo(span.toFloats());
    }
  }

  @Test
  void zerosStayZeros() {
    try (Span span = span(new float[200]);
        Span coded = Int8Grid.encode(span)) {
      Int8Grid.nearest(span);
      assertThat(span.toFloats()).containsOnly(0f);
      assertThat(decoded(coded, 0, 200)).containsOnly(0f);
    }
    assertThat(Int8Grid.round(0f, Int8Grid.scale(0, 0), 65535)).isZero();
  }

  @Test
  void aByteAnElementAndFourAGroup() {
    assertThat(Int8Grid.bytes(4096L * 11008)).isEqualTo(4096L * 11008 * 132 / 128);
  }
}
