package dev.kindling.worker.replay;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What stands before the records of a file: enough to make the weights again from the base.
 *
 * @param start step after which the file begins
 * @param vocabulary rows of the tokenizer, which the configuration need not name
 * @param base {@link FirstWeights} of the weights before step 1; nothing where an attempt began
 *     later and found no file that knew it
 * @param run hash of everything that decides the steps' bits: the rule's settings, the model, the
 *     data, the seed, and the batches left out. Steps of another hash are of another run
 * @param config the run's resolved configuration
 */
public record SlopeHeader(
    long start, int vocabulary, Optional<String> base, String run, String config) {
  private static final String FIRST = "kindling slopes 2\n";
  private static final String NONE = "none";
  private static final Pattern FORM =
      Pattern.compile(
          FIRST
              + "start (\\d{1,10})\nvocabulary (\\d{1,9})\nbase (none|[0-9a-f]{64})\n"
              + "run ([0-9a-f]{64})\nconfig (\\d{1,7})\n");

  /** Longest first lines. */
  private static final int LINES = 256;

  byte[] bytes() {
    byte[] yaml = config.getBytes(StandardCharsets.UTF_8);
    String lines =
        String.format(
            Locale.ROOT,
            FIRST + "start %d\nvocabulary %d\nbase %s\nrun %s\nconfig %d\n",
            start,
            vocabulary,
            base.orElse(NONE),
            run,
            yaml.length);
    byte[] first = lines.getBytes(StandardCharsets.US_ASCII);
    byte[] all = Arrays.copyOf(first, first.length + yaml.length);
    System.arraycopy(yaml, 0, all, first.length, yaml.length);
    return all;
  }

  /** Whether a killed writer got no further than this with its first lines. */
  static boolean isTorn(byte[] file) {
    int lines = Math.min(file.length, FIRST.length());
    String begun = new String(file, 0, lines, StandardCharsets.US_ASCII);
    return FIRST.startsWith(begun) && read(file).isEmpty();
  }

  /** The header at the start of a file, empty if there is none. */
  static Optional<SlopeHeader> read(byte[] file) {
    int length = Math.min(file.length, LINES);
    Matcher lines = FORM.matcher(new String(file, 0, length, StandardCharsets.US_ASCII));
    if (!lines.lookingAt()) {
      return Optional.empty();
    }
    int bytes = Integer.parseInt(lines.group(5));
    if (file.length - lines.end() < bytes) {
      return Optional.empty();
    }
    String yaml = new String(file, lines.end(), bytes, StandardCharsets.UTF_8);
    return Optional.of(
        new SlopeHeader(
            Long.parseLong(lines.group(1)),
            Integer.parseInt(lines.group(2)),
            Optional.of(lines.group(3)).filter(hash -> !hash.equals(NONE)),
            lines.group(4),
            yaml));
  }
}
