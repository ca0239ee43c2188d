package dev.kindling.kernels.graph.op;

/** Where the gradient of a gain or bias goes. */
public enum Accumulation {
  /** Nobody demands it: no output. */
  NONE,
  /** An output of its own. */
  FRESH,
  /** Added to an accumulator given as an input, which the output aliases. */
  INTO_VARIABLE,
  /** Written over an accumulator given as an input, whose content is not read. */
  OVER_VARIABLE;

  /** Whether an accumulator is an input and the output aliases it. */
  public boolean isInPlace() {
    return this == INTO_VARIABLE || this == OVER_VARIABLE;
  }

  static Accumulation of(Tape tape, int input) {
    if (!tape.wants(input)) {
      return NONE;
    }
    return tape.accumulator(input) == null ? FRESH : INTO_VARIABLE;
  }
}
