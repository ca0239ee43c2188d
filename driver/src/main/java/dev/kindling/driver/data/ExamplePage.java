package dev.kindling.driver.data;

import dev.kindling.worker.data.ExampleFlags;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.Tokenizer;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;

/** Sequences of whole examples, with what counts in the loss between [[ and ]]. */
final class ExamplePage {
  private static final int SHOWN_TOKENS = 512;

  private final SequenceReader reader;
  private final Tokenizer tokenizer;
  private final int[] tokens;
  private final byte[] flags;

  ExamplePage(SequenceReader reader, Tokenizer tokenizer) {
    this.reader = reader;
    this.tokenizer = tokenizer;
    int length = reader.shards().manifest().sequenceLength() + 1;
    this.tokens = new int[length];
    this.flags = new byte[length];
  }

  /**
   * @param scanned sequences, spread over the split, that the shares are counted over
   */
  void print(PrintWriter out, long scanned) {
    long held = 0;
    long counted = 0;
    for (long k = 0; k < scanned; k++) {
      reader.read(k * reader.sequences() / scanned, tokens, flags);
      held += held();
      for (byte flag : flags) {
        counted += ExampleFlags.counts(flag) ? 1 : 0;
      }
    }
    double all = (double) scanned * tokens.length;
    out.printf(
        "filled           %.1f%% of all tokens, %.1f%% count in the loss: [[ so ]]%n",
        100 * held / all, 100 * counted / all);
    for (long sample : List.of(0L, reader.sequences() / 2)) {
      reader.read(sample, tokens, flags);
      out.printf("sequence %-7d", sample);
      sequence(out, Math.min(held(), SHOWN_TOKENS));
    }
  }

  /** Tokens before the padding, which is what begins last and counts nowhere. */
  private int held() {
    int held = tokens.length;
    while (held > 0 && !ExampleFlags.counts(flags[held - 1])) {
      held--;
    }
    return held;
  }

  private void sequence(PrintWriter out, int shown) {
    int from = 0;
    while (from < shown) {
      int to = from + 1;
      boolean counts = ExampleFlags.counts(flags[from]);
      while (to < shown
          && ExampleFlags.counts(flags[to]) == counts
          && !ExampleFlags.begins(flags[to])) {
        to++;
      }
      String quoted = SetPage.printable(tokenizer.decode(Arrays.copyOfRange(tokens, from, to)));
      String text = quoted.substring(1, quoted.length() - 1);
      if (from > 0 && ExampleFlags.begins(flags[from])) {
        out.printf("%n%16s", "");
      }
      out.print(
          (from == 0 ? " " : ExampleFlags.begins(flags[from]) ? " " : "")
              + (counts ? "[[" + text + "]]" : text));
      from = to;
    }
    out.println();
  }
}
