package dev.kindling.worker.ledger;

import java.util.Locale;
import java.util.OptionalLong;

/**
 * One step as all ranks of an attempt recorded it.
 *
 * @param samples over all ranks, whatever their number; empty if a rank died before it wrote
 * @param epoch of the attempt
 */
public record LedgerStep(
    long step, int lossBits, int gradNormBits, OptionalLong samples, long epoch) {

  /** What differs between two records of one step; empty if nothing that both know does. */
  public String difference(LedgerStep other) {
    StringBuilder text = new StringBuilder();
    if (lossBits != other.lossBits) {
      text.append("loss ").append(both(lossBits, other.lossBits));
    }
    if (gradNormBits != other.gradNormBits) {
      text.append(text.isEmpty() ? "" : "; ");
      text.append("gradient norm ").append(both(gradNormBits, other.gradNormBits));
    }
    if (samples.isPresent() && other.samples.isPresent() && !samples.equals(other.samples)) {
      text.append(text.isEmpty() ? "" : "; ");
      text.append(
          String.format(
              Locale.ROOT,
              "samples %016x and %016x",
              samples.getAsLong(),
              other.samples.getAsLong()));
    }
    return text.toString();
  }

  private static String both(int left, int right) {
    return value(left) + " and " + value(right);
  }

  private static String value(int bits) {
    return String.format(Locale.ROOT, "%08x (%s)", bits, Float.intBitsToFloat(bits));
  }
}
