package dev.kindling.driver.data;

import dev.kindling.worker.data.Manifest;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** A page on a prepared set: what the manifest says, then what the shards hold. */
final class SetPage {
  private static final int COMMONEST = 10;
  private static final int SHOWN_TOKENS = 64;
  private static final int SCANNED_SEQUENCES = 20_000;

  private final TokenShards shards;

  SetPage(TokenShards shards) {
    this.shards = shards;
  }

  void print(PrintWriter out) {
    Manifest manifest = shards.manifest();
    out.printf("prepared set     %s (all hashes right)%n", shards.folder());
    out.printf("fingerprint      %s%n", manifest.fingerprint());
    out.printf("inputs           %s%n", manifest.inputsHash());
    out.printf("tokenizer        %s%n", manifest.tokenizerHash());
    out.printf(
        "vocabulary       %d, %d byte(s) a token, separator %d%n",
        manifest.vocabularySize(), manifest.tokenBytes(), manifest.separator());
    out.printf(
        "sequence length  %d%s%n",
        manifest.sequenceLength(), manifest.maskDocuments() ? ", documents masked" : "");
    if (manifest.leftOut().any()) {
      out.printf("left out         %s%n", manifest.leftOut().told());
    }
    for (Manifest.Share share : manifest.mixture()) {
      out.printf("part             weight %s, %d sequences%n", share.weight(), share.sequences());
    }
    for (SplitName split : SplitName.values()) {
      split(out, split);
    }
  }

  private void split(PrintWriter out, SplitName split) {
    Manifest.Part part = shards.part(split);
    out.printf(
        "%n%-16s %d sequences, %d tokens, %d documents, %.1f MB of text, %d shard(s)%n",
        split.word(),
        part.sequences(),
        part.tokens(),
        part.documents(),
        part.textBytes() / 1e6,
        part.shards().size());
    if (part.sequences() == 0) {
      return;
    }
    out.printf(
        "document length  %.0f tokens in the mean, %.3f tokens a byte%n",
        (double) part.tokens() / part.documents(), (double) part.tokens() / part.textBytes());
    LengthBars.of(shards, split).print(out);
    int length = shards.manifest().sequenceLength();
    int[] sequence = new int[length + 1];
    long[] counts = new long[shards.manifest().vocabularySize()];
    long scanned = Math.min(part.sequences(), SCANNED_SEQUENCES);
    try (Tokenizer tokenizer = shards.tokenizer();
        SequenceReader reader = SequenceReader.open(shards, split)) {
      for (long k = 0; k < scanned; k++) {
        reader.read(k * part.sequences() / scanned, sequence);
        for (int i = 0; i < length; i++) {
          counts[sequence[i]]++;
        }
      }
      histogram(out, tokenizer, counts, scanned * length);
      if (shards.manifest().examples()) {
        new ExamplePage(reader, tokenizer).print(out, scanned);
        return;
      }
      for (long sample : List.of(0L, part.sequences() / 2)) {
        reader.read(sample, sequence);
        int[] shown = java.util.Arrays.copyOf(sequence, Math.min(length, SHOWN_TOKENS));
        out.printf("sequence %-7d %s%n", sample, printable(tokenizer.decode(shown)));
      }
    }
  }

  private static void histogram(PrintWriter out, Tokenizer tokenizer, long[] counts, long total) {
    long used = IntStream.range(0, counts.length).filter(id -> counts[id] > 0).count();
    out.printf("tokens seen      %d of %d; commonest:", used, counts.length);
    IntStream.range(0, counts.length)
        .boxed()
        .sorted(Comparator.comparingLong((Integer id) -> -counts[id]).thenComparing(id -> id))
        .limit(COMMONEST)
        .forEach(
            id ->
                out.printf(
                    " %d %s %.1f%%",
                    id, printable(tokenizer.decode(new int[] {id})), 100.0 * counts[id] / total));
    out.println();
  }

  static String printable(String text) {
    StringBuilder shown = new StringBuilder("\"");
    text.chars()
        .forEach(
            c -> {
              if (c == '\n') {
                shown.append("\\n");
              } else if (c < 0x20 || (c > 0x7e && c < 0xa0)) {
                shown.append(String.format("\\x%02x", c));
              } else {
                shown.append((char) c);
              }
            });
    return shown.append('"').toString();
  }
}
