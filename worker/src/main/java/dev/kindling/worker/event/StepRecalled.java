package dev.kindling.worker.event;

/**
 * A step that was logged before the checkpoint from which a rank goes on. Its first report may have
 * died with the process that carried it, so rank 0 tells it again; whoever has it already forgets
 * this one.
 *
 * @param step what was reported
 * @param validationLoss measured after that step, NaN if none was
 * @param accuracy of answers after that step, NaN if none were asked for
 */
public record StepRecalled(int rank, StepDone step, float validationLoss, float accuracy)
    implements WorkerEvent {
  private static final int WORDS = 12;

  /** Without questions. */
  public StepRecalled(int rank, StepDone step, float validationLoss) {
    this(rank, step, validationLoss, Float.NaN);
  }

  /**
   * One line of text that {@link #decode} reads back bit for bit; part of a checkpoint's state. A
   * run without questions writes what it wrote before there were any.
   */
  public String encode() {
    String words =
        String.join(
            " ",
            Long.toString(step.step()),
            Long.toString(step.tokens()),
            bits(step.loss()),
            bits(step.gradNorm()),
            bits(step.lr()),
            bits(step.stepMillis()),
            bits(step.tokensPerSecond()),
            Long.toString(step.deviceBytesPeak()),
            Long.toString(step.commBytes()),
            bits(step.commExposedMillis()),
            Boolean.toString(step.skipped()),
            bits(validationLoss));
    return Float.isNaN(accuracy) ? words : words + " " + bits(accuracy);
  }

  /**
   * @throws IllegalArgumentException if the text is not what {@link #encode} writes
   */
  public static StepRecalled decode(String text) {
    String[] words = text.split(" ", -1);
    if (words.length != WORDS && words.length != WORDS + 1) {
      throw new IllegalArgumentException(
          "recalled step: expected " + WORDS + " words, found " + words.length);
    }
    StepDone step =
        new StepDone(
            0,
            Long.parseLong(words[0]),
            Long.parseLong(words[1]),
            single(words[2]),
            single(words[3]),
            wide(words[4]),
            wide(words[5]),
            wide(words[6]),
            Long.parseLong(words[7]),
            Long.parseLong(words[8]),
            wide(words[9]),
            Boolean.parseBoolean(words[10]));
    float accuracy = words.length == WORDS ? Float.NaN : single(words[WORDS]);
    return new StepRecalled(0, step, single(words[11]), accuracy);
  }

  private static String bits(float value) {
    return Integer.toHexString(Float.floatToRawIntBits(value));
  }

  private static String bits(double value) {
    return Long.toHexString(Double.doubleToRawLongBits(value));
  }

  private static float single(String word) {
    return Float.intBitsToFloat(Integer.parseUnsignedInt(word, 16));
  }

  private static double wide(String word) {
    return Double.longBitsToDouble(Long.parseUnsignedLong(word, 16));
  }
}
