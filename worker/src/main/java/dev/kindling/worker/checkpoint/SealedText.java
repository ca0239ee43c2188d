package dev.kindling.worker.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A small text whose last line is {@code #sha256=} and the hash of all bytes before: no bit of it
 * can change unseen.
 */
final class SealedText {
  private static final String SEAL = "\n#sha256=";
  private static final int SEAL_BYTES = SEAL.length() + 64 + 1;

  private SealedText() {}

  static byte[] seal(byte[] body) {
    byte[] end = lastLine(body).getBytes(StandardCharsets.US_ASCII);
    byte[] all = Arrays.copyOf(body, body.length + SEAL_BYTES);
    System.arraycopy(end, 0, all, body.length, end.length);
    return all;
  }

  /** Returns the body; {@code file} is the name in messages. */
  static byte[] open(byte[] bytes, String file) {
    int bodyBytes = bytes.length - SEAL_BYTES;
    if (bodyBytes < 2) {
      throw new CheckpointException(
          file + ": expected at least " + (SEAL_BYTES + 2) + " bytes, found " + bytes.length);
    }
    byte[] body = Arrays.copyOf(bytes, bodyBytes);
    String expected = lastLine(body);
    String found = new String(bytes, bodyBytes, SEAL_BYTES, StandardCharsets.ISO_8859_1);
    if (!found.equals(expected)) {
      throw new CheckpointException(
          file
              + ": bytes 0 to "
              + bodyBytes
              + ": expected last line "
              + printable(found)
              + ", found content with "
              + expected.strip());
    }
    return body;
  }

  private static String lastLine(byte[] body) {
    return SEAL + Hashing.sha256(body) + "\n";
  }

  private static String printable(String text) {
    StringBuilder out = new StringBuilder();
    for (char c : text.strip().toCharArray()) {
      out.append(c >= 32 && c < 127 ? c : '?');
    }
    return out.toString();
  }
}
