package dev.kindling.optim.rule;

/**
 * Powers with whole exponents, the same bits everywhere. StrictMath.pow gives no more, but makes 96
 * bytes of tables at every call until it is compiled in full, thousands of steps later.
 */
final class IntegerPower {
  private IntegerPower() {}

  /**
   * By repeated squaring in pairs of doubles (T. J. Dekker, A floating-point technique for
   * extending the available precision, 1971), rounded to one double at the end.
   *
   * @param base from 0 to 1
   * @param exponent 0 or more
   */
  static double of(double base, long exponent) {
    double high = 1;
    double low = 0;
    double square = base;
    double squareLow = 0;
    for (long left = exponent; left > 0; left >>= 1) {
      if ((left & 1) != 0) {
        double product = high * square;
        double rest = Math.fma(high, square, -product) + (high * squareLow + low * square);
        high = product + rest;
        low = rest - (high - product);
      }
      double product = square * square;
      double rest = Math.fma(square, square, -product) + 2 * square * squareLow;
      square = product + rest;
      squareLow = rest - (square - product);
    }
    return high;
  }
}
