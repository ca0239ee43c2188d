package dev.kindling.worker.loop;

import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.replay.SlopeRecord;
import java.util.HexFormat;
import java.util.List;
import java.util.StringJoiner;

/**
 * One zeroth-order step as slopes and ledger remember it.
 *
 * @param lossBits of the mean loss at the two points
 * @param samples sum over what all ranks fed
 * @param rate learning rate of the update
 * @param skipped whether every parameter kept its bits
 * @param slopes by direction
 */
record LoggedStep(
    long step,
    int lossBits,
    int gradNormBits,
    long samples,
    float rate,
    boolean skipped,
    float[] slopes) {
  private static final int WORDS = 6;

  /**
   * @param records of the step, by direction
   */
  static LoggedStep of(List<SlopeRecord> records, LedgerStep line) {
    SlopeRecord first = records.get(0);
    float[] slopes = new float[records.size()];
    for (int i = 0; i < slopes.length; i++) {
      slopes[i] = records.get(i).slope();
    }
    return new LoggedStep(
        first.step(),
        line.lossBits(),
        line.gradNormBits(),
        line.samples().orElseThrow(),
        first.rate(),
        first.skipped(),
        slopes);
  }

  float loss() {
    return Float.intBitsToFloat(lossBits);
  }

  float gradNorm() {
    return Float.intBitsToFloat(gradNormBits);
  }

  /** One line that {@link #decode} reads back bit for bit. */
  String encode() {
    StringJoiner words = new StringJoiner(" ");
    words.add(Long.toString(step));
    words.add(Integer.toHexString(lossBits)).add(Integer.toHexString(gradNormBits));
    words.add(Long.toHexString(samples));
    words.add(bits(rate)).add(Boolean.toString(skipped));
    for (float slope : slopes) {
      words.add(bits(slope));
    }
    return words.toString();
  }

  static LoggedStep decode(String line) {
    String[] words = line.split(" ", -1);
    float[] slopes = new float[words.length - WORDS];
    for (int i = 0; i < slopes.length; i++) {
      slopes[i] = single(words[WORDS + i]);
    }
    return new LoggedStep(
        Long.parseLong(words[0]),
        HexFormat.fromHexDigits(words[1]),
        HexFormat.fromHexDigits(words[2]),
        Long.parseUnsignedLong(words[3], 16),
        single(words[4]),
        Boolean.parseBoolean(words[5]),
        slopes);
  }

  private static String bits(float value) {
    return Integer.toHexString(Float.floatToRawIntBits(value));
  }

  private static float single(String word) {
    return Float.intBitsToFloat(HexFormat.fromHexDigits(word));
  }
}
