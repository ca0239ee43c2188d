package dev.kindling.driver.data;

import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import java.io.PrintWriter;
import java.util.stream.LongStream;

/** How long the documents of a split are: one bar for each power of two. */
final class LengthBars {
  private static final int WIDEST = 40;

  /** Documents of {@code [2^k, 2^(k+1))} tokens. */
  private final long[] counts = new long[Long.SIZE];

  private LengthBars() {}

  static LengthBars of(TokenShards shards, SplitName split) {
    LengthBars bars = new LengthBars();
    shards.documentTokens(split, tokens -> bars.counts[power(tokens)]++);
    return bars;
  }

  private static int power(long tokens) {
    return Long.SIZE - 1 - Long.numberOfLeadingZeros(Math.max(1, tokens));
  }

  void print(PrintWriter out) {
    long most = LongStream.of(counts).max().orElse(0);
    for (int k = 0; k < counts.length; k++) {
      if (counts[k] > 0) {
        int bar = (int) Math.max(1, counts[k] * WIDEST / most);
        out.printf(
            "%16s %-15s %9d %s%n",
            "", (1L << k) + "-" + ((2L << k) - 1) + " tokens", counts[k], "#".repeat(bar));
      }
    }
  }
}
