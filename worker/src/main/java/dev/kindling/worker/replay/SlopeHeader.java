package dev.kindling.worker.replay;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What stands before the records of a file: enough to make the weights again from the base.
 *
 * @param start step after which the file begins
 * @param vocabulary rows of the tokenizer, which the configuration need not name
 * @param config the run's resolved configuration
 */
public record SlopeHeader(long start, int vocabulary, String config) {
  private static final Pattern FORM =
      Pattern.compile(
          "kindling slopes 1\nstart (\\d{1,10})\nvocabulary (\\d{1,9})\nconfig (\\d{1,7})\n");

  /** Longest first lines. */
  private static final int LINES = 80;

  byte[] bytes() {
    byte[] yaml = config.getBytes(StandardCharsets.UTF_8);
    String lines =
        String.format(
            Locale.ROOT,
            "kindling slopes 1\nstart %d\nvocabulary %d\nconfig %d\n",
            start,
            vocabulary,
            yaml.length);
    byte[] first = lines.getBytes(StandardCharsets.US_ASCII);
    byte[] all = java.util.Arrays.copyOf(first, first.length + yaml.length);
    System.arraycopy(yaml, 0, all, first.length, yaml.length);
    return all;
  }

  /** The header at the start of a file, empty if there is none. */
  static Optional<SlopeHeader> read(byte[] file) {
    int length = Math.min(file.length, LINES);
    Matcher lines = FORM.matcher(new String(file, 0, length, StandardCharsets.US_ASCII));
    if (!lines.lookingAt()) {
      return Optional.empty();
    }
    int bytes = Integer.parseInt(lines.group(3));
    if (file.length - lines.end() < bytes) {
      return Optional.empty();
    }
    String yaml = new String(file, lines.end(), bytes, StandardCharsets.UTF_8);
    return Optional.of(
        new SlopeHeader(Long.parseLong(lines.group(1)), Integer.parseInt(lines.group(2)), yaml));
  }
}
