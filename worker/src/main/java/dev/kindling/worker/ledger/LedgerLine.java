package dev.kindling.worker.ledger;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * One step in a file of one rank.
 *
 * @param step number of the step, from 1
 * @param lossBits of the mean loss
 * @param gradNormBits of the gradient norm before clipping
 * @param samples sum over the sequences that this rank fed, {@code SampleDigest}
 * @param check mixes the line with the check of the line before it: no line can change alone
 */
record LedgerLine(long step, int lossBits, int gradNormBits, long samples, long check) {
  /** {@code step loss norm samples check}, zero-padded, the step decimal, the rest hexadecimal. */
  static final int BYTES = 12 + 1 + 8 + 1 + 8 + 1 + 16 + 1 + 16 + 1;

  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

  static LedgerLine after(long check, long step, int lossBits, int gradNormBits, long samples) {
    return new LedgerLine(
        step, lossBits, gradNormBits, samples, check(check, step, lossBits, gradNormBits, samples));
  }

  static long check(long before, long step, int lossBits, int gradNormBits, long samples) {
    long bits = (long) lossBits << 32 | (gradNormBits & 0xffffffffL);
    return mix(mix(mix(before + step) + bits) + samples);
  }

  /** Finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
  static long mix(long z) {
    z += 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /** Appends the text of a line; allocates nothing. */
  static void put(
      ByteBuffer into, long step, int lossBits, int gradNormBits, long samples, long check) {
    for (long unit = 100_000_000_000L; unit > 0; unit /= 10) {
      into.put((byte) ('0' + step / unit % 10));
    }
    putHex(into, lossBits & 0xffffffffL, 8);
    putHex(into, gradNormBits & 0xffffffffL, 8);
    putHex(into, samples, 16);
    putHex(into, check, 16);
    into.put((byte) '\n');
  }

  private static void putHex(ByteBuffer into, long value, int digits) {
    into.put((byte) ' ');
    for (int digit = digits - 1; digit >= 0; digit--) {
      into.put(HEX[(int) (value >>> (4 * digit)) & 15]);
    }
  }

  /**
   * @throws IllegalArgumentException if the text is no line
   */
  static LedgerLine parse(String text) {
    String[] words = text.split(" ", -1);
    if (text.length() != BYTES - 1 || words.length != 5) {
      throw new IllegalArgumentException("expected five words in " + (BYTES - 1) + " characters");
    }
    return new LedgerLine(
        Long.parseLong(words[0]),
        Integer.parseUnsignedInt(words[1], 16),
        Integer.parseUnsignedInt(words[2], 16),
        Long.parseUnsignedLong(words[3], 16),
        Long.parseUnsignedLong(words[4], 16));
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%012d %08x %08x %016x %016x", step, lossBits, gradNormBits, samples, check);
  }
}
