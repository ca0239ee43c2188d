package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.memory.Span;
import org.junit.jupiter.api.Test;

class ExposedWordsTest {
  private static final long AT = 128;
  private static final int CAPACITY = ExposedWords.BYTES / Long.BYTES - 1;

  private final FakeDevices world = new FakeDevices(CAPACITY + 1);
  private final ExposedWords words = new ExposedWords(4096);

  private static Launch launch(String kernel) {
    return new Launch(kernel, null);
  }

  private static void put(Span host, int index, long value) {
    int at = (int) (AT / Integer.BYTES) + 2 * index;
    host.putInt(at, (int) value);
    host.putInt(at + 1, (int) (value >>> 32));
  }

  private static Span host() {
    Span host = Span.allocate(AT + ExposedWords.BYTES);
    for (int i = 0; i <= CAPACITY; i++) {
      put(host, i, 0);
    }
    return host;
  }

  @Test
  void marksAreOneThreadAndEveryCommunicatorHasAWord() {
    Launch begin = words.begin(ExposedWordsTest::launch);
    assertThat(begin).hasToString("kernel exposed_begin<<<(1,1), 1, 0>>>");
    assertThat(begin.arguments()).containsExactly(4096L);
    assertThat(words.watched()).isFalse();
    Launch end = words.end(ExposedWordsTest::launch, world.rank(0));
    assertThat(end).hasToString("kernel exposed_end<<<(1,1), 1, 0>>>");
    assertThat(end.arguments()).containsExactly(4096L, 4104L);
    assertThat(words.end(ExposedWordsTest::launch, world.rank(1)).arguments())
        .containsExactly(4096L, 4112L);
    assertThat(words.end(ExposedWordsTest::launch, world.rank(0)).arguments())
        .containsExactly(4096L, 4104L);
    assertThat(words.watched()).isTrue();
  }

  @Test
  void everyCommunicatorIsToldWhatItsWordHasGrownBy() {
    words.end(ExposedWordsTest::launch, world.rank(0));
    words.end(ExposedWordsTest::launch, world.rank(1));
    try (Span host = host()) {
      // When the wait began is nobody's.
      put(host, 0, Long.MAX_VALUE);
      put(host, 1, 0xFFFF_FFF0L);
      words.tell(host, AT);
      words.tell(host, AT);
      assertThat(world.rank(0).waitNanos()).isEqualTo(0xFFFF_FFF0L);
      assertThat(world.rank(1).waitNanos()).isZero();
      put(host, 1, 0x1_0000_0010L);
      put(host, 2, 7);
      words.tell(host, AT);
      assertThat(world.rank(0).waitNanos()).isEqualTo(0x1_0000_0010L);
      assertThat(world.rank(1).waitNanos()).isEqualTo(7);
    }
  }

  /** Two slots: the words of a run may be read after those of a later one, or never. */
  @Test
  void nothingIsCountedTwiceWhateverTheOrderOfTheReads() {
    words.end(ExposedWordsTest::launch, world.rank(0));
    try (Span early = host();
        Span late = host()) {
      put(early, 1, 100);
      put(late, 1, 250);
      words.tell(late, AT);
      words.tell(early, AT);
      words.tell(late, AT);
      assertThat(world.rank(0).waitNanos()).isEqualTo(250);
    }
  }

  @Test
  void thereIsAWordForEveryAxisAndMoreAreRefused() {
    assertThat(CAPACITY).isGreaterThanOrEqualTo(Axis.values().length);
    for (int i = 0; i < CAPACITY; i++) {
      words.end(ExposedWordsTest::launch, world.rank(i));
    }
    assertThatThrownBy(() -> words.end(ExposedWordsTest::launch, world.rank(CAPACITY)))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("at most 7 communicators");
  }
}
