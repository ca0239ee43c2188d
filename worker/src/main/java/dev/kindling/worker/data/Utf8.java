package dev.kindling.worker.data;

import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Strict check of text bytes: no NUL, well-formed UTF-8 (RFC 3629: no surrogates, no overlong). */
final class Utf8 {
  private Utf8() {}

  /** What is wrong at a byte of a text. */
  record Fault(int offset, String reason) {}

  /**
   * Returns when all of {@code text} is text.
   *
   * @param base offset of {@code text} in the file, for the message
   * @throws DataException naming file and byte offset of the first byte that is not
   */
  static void check(byte[] text, String file, long base) {
    Fault fault = fault(text);
    if (fault != null) {
      throw new DataException(file + ": byte " + (base + fault.offset) + ": " + fault.reason);
    }
  }

  /** The first byte that is not text; null when all are. */
  static @Nullable Fault fault(byte[] text) {
    int i = 0;
    while (i < text.length) {
      int lead = text[i];
      if (lead > 0) {
        i++;
        continue;
      }
      if (lead == 0) {
        return new Fault(i, "expected text, found NUL (a binary file?)");
      }
      int length = sequenceLength(text, i);
      if (length == 0) {
        int shown = Math.min(text.length, i + 4);
        return new Fault(i, "expected UTF-8, found 0x" + HexFormat.of().formatHex(text, i, shown));
      }
      i += length;
    }
    return null;
  }

  /** Bytes of the multi-byte character at {@code i}; 0 when it is malformed. */
  private static int sequenceLength(byte[] text, int i) {
    int lead = text[i] & 0xff;
    int length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.length) {
      return 0;
    }
    for (int k = 1; k < length; k++) {
      if ((text[i + k] & 0xc0) != 0x80) {
        return 0;
      }
    }
    int second = text[i + 1] & 0xff;
    boolean overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    boolean outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
    return overlong || outside ? 0 : length;
  }
}
