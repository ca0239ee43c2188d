package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TextStreamTest {
  private static final long SEED = Long.getLong("seed", 5L);
  private static final Tokenizer TOKENIZER = Tokenizer.open(new Bytes());

  private final List<String> pieces = new ArrayList<>();
  private final TextStream stream = new TextStream(TOKENIZER, pieces::add);

  private void bytes(int... ids) {
    for (int id : ids) {
      stream.token(id);
    }
  }

  private void text(String text) {
    bytes(TOKENIZER.encode(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void halfACharacterWaitsForTheRest() {
    text("a");
    bytes(0xE2, 0x82);
    assertThat(pieces).containsExactly("a");
    bytes(0xAC);
    assertThat(pieces).containsExactly("a", "\u20AC");
    bytes(0xF0, 0x9F, 0x98);
    assertThat(pieces).hasSize(2);
    bytes(0x80);
    assertThat(pieces).containsExactly("a", "\u20AC", "\uD83D\uDE00");
  }

  @Test
  void whatStaysHalfIsShownWhenSomethingElseFollowsOrAtTheEnd() {
    bytes(0xE2, 0x82);
    text("b");
    assertThat(String.join("", pieces)).isEqualTo("\uFFFDb");
    bytes(0xC3);
    stream.end();
    assertThat(String.join("", pieces)).isEqualTo("\uFFFDb\uFFFD");
    stream.end();
    assertThat(String.join("", pieces)).isEqualTo("\uFFFDb\uFFFD");
  }

  @Test
  void thePiecesAreTheWholeText() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int trial = 0; trial < 200; trial++) {
      pieces.clear();
      int[] ids = new int[80];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = 32 + random.nextInt(trial % 2 == 0 ? 224 : 95);
      }
      if (trial % 3 == 0) {
        int[] word =
            TOKENIZER.encode(
                "gr\u00FC\u00DFe \u6F22\u5B57 \uD83D\uDE00".getBytes(StandardCharsets.UTF_8));
        System.arraycopy(word, 0, ids, 40, word.length);
      }
      bytes(ids);
      stream.end();
      assertThat(String.join("", pieces))
          .as("seed %d trial %d", SEED, trial)
          .isEqualTo(TextStream.printable(TOKENIZER.decode(ids)));
      assertThat(pieces).allMatch(piece -> !piece.isEmpty());
    }
  }

  @Test
  void textForATerminalHoldsNoControlCharacters() {
    text("a\u001b[2J\tb\r\n\u0000");
    assertThat(String.join("", pieces)).isEqualTo("a\uFFFD[2J\tb\r\n\uFFFD");
  }
}
