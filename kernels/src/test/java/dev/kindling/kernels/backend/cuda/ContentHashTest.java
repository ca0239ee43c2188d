package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ContentHashTest {
  private static final int WORDS = 257;

  private final long seed = Long.getLong("seed", 20261127L);

  private ByteBuffer random() {
    ByteBuffer words = ByteBuffer.allocate(WORDS * 4).order(ByteOrder.LITTLE_ENDIAN);
    Random random = new Random(seed);
    for (int i = 0; i < WORDS; i++) {
      words.putInt(4 * i, random.nextInt());
    }
    return words;
  }

  /** SplitMix64 from state 0, whose first output is published. */
  @Test
  void oneZeroWordGivesTheFirstNumberOfSplitMix() {
    assertThat(ContentHash.of(ByteBuffer.allocate(4))).isEqualTo(0xE220A8397B1DCDAFL);
  }

  @Test
  void everySingleBitShows() {
    ByteBuffer words = random();
    Set<Long> hashes = new HashSet<>();
    hashes.add(ContentHash.of(words));
    for (int bit = 0; bit < WORDS * 32; bit++) {
      words.put(bit / 8, (byte) (words.get(bit / 8) ^ 1 << bit % 8));
      assertThat(hashes.add(ContentHash.of(words))).as("seed %d bit %d", seed, bit).isTrue();
      words.put(bit / 8, (byte) (words.get(bit / 8) ^ 1 << bit % 8));
    }
  }

  @Test
  void wordsThatChangePlacesShow() {
    ByteBuffer words = random();
    long before = ContentHash.of(words);
    int first = words.getInt(0);
    words.putInt(0, words.getInt(40));
    words.putInt(40, first);
    assertThat(ContentHash.of(words)).isNotEqualTo(before);
  }
}
