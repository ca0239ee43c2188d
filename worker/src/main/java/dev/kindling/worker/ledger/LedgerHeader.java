package dev.kindling.worker.ledger;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The first line of a file, and its name.
 *
 * @param trajectory equal for files whose steps must have equal bits
 * @param epoch fencing epoch of the attempt
 * @param segment counts what an attempt begins again after a rollback, from 0
 * @param ranks of the attempt
 * @param rank that writes the file
 * @param after last step before the file's first line
 */
public record LedgerHeader(
    String trajectory, long epoch, int segment, int ranks, int rank, long after) {
  private static final Pattern NAME = Pattern.compile("e\\d{10}-s\\d{4}-r\\d{5}\\.log");

  private static final Pattern TEXT =
      Pattern.compile(
          "kindling ledger 1 trajectory ([0-9a-f]{64}) epoch (\\d{1,10}) segment (\\d{1,4})"
              + " ranks (\\d{1,5}) rank (\\d{1,5}) after (\\d{1,12})\n");

  /** A header is shorter. */
  static final int MAX_BYTES = 256;

  static boolean isName(String file) {
    return NAME.matcher(file).matches();
  }

  String fileName() {
    return String.format(Locale.ROOT, "e%010d-s%04d-r%05d.log", epoch, segment, rank);
  }

  String text() {
    return String.format(
        Locale.ROOT,
        "kindling ledger 1 trajectory %s epoch %d segment %d ranks %d rank %d after %d\n",
        trajectory,
        epoch,
        segment,
        ranks,
        rank,
        after);
  }

  /** What the check of the first line goes on from. */
  long check() {
    long check = 0;
    for (byte letter : text().getBytes(StandardCharsets.US_ASCII)) {
      check = LedgerLine.mix(check + letter);
    }
    return check;
  }

  /**
   * @throws IllegalArgumentException if the text does not begin with a header
   */
  static LedgerHeader parse(String text) {
    Matcher matcher = TEXT.matcher(text.substring(0, text.indexOf('\n') + 1));
    if (!matcher.matches()) {
      throw new IllegalArgumentException("expected a header of a ledger of version 1");
    }
    return new LedgerHeader(
        matcher.group(1),
        Long.parseLong(matcher.group(2)),
        Integer.parseInt(matcher.group(3)),
        Integer.parseInt(matcher.group(4)),
        Integer.parseInt(matcher.group(5)),
        Long.parseLong(matcher.group(6)));
  }
}
