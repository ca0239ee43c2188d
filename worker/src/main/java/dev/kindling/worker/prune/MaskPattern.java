package dev.kindling.worker.prune;

import dev.kindling.kernels.graph.PlanException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * At most {@code kept} of every {@code of} neighbouring input features of an output stay.
 *
 * @param kept at least 1, below {@code of}
 */
public record MaskPattern(int kept, int of) {
  private static final Pattern WORD = Pattern.compile("([0-9]{1,4}):([0-9]{1,4})");

  public MaskPattern {
    if (kept < 1 || of <= kept) {
      throw new PlanException("--pattern: expected N:M with 1 <= N < M, found " + kept + ":" + of);
    }
  }

  /**
   * @param word as {@code 2:4}
   */
  public static MaskPattern of(String word) {
    Matcher match = WORD.matcher(word);
    if (!match.matches()) {
      throw new PlanException("--pattern: expected N:M such as 2:4 or 4:8, found " + word);
    }
    return new MaskPattern(Integer.parseInt(match.group(1)), Integer.parseInt(match.group(2)));
  }

  /** Share that is zero. */
  public double sparsity() {
    return 1 - (double) kept / of;
  }

  @Override
  public String toString() {
    return kept + ":" + of;
  }
}
