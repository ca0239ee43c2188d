package dev.kindling.worker.ledger;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * SHA-256 over all steps of a run: head = hash(head before, step, loss bits, gradient norm bits,
 * samples of all ranks). No number of ranks enters, so in exact mode runs of any world size have
 * the same head. A checkpoint carries the head; whoever holds the lines can prove that they led
 * there.
 */
public final class LedgerChain {
  /** Name of the head among the guard values of a checkpoint. */
  public static final String GUARD = "ledger";

  private static final int HEAD_BYTES = 32;
  private static final String BEGINNING = "kindling ledger";

  private final MessageDigest sha = digest();
  private final byte[] block = new byte[HEAD_BYTES + 2 * Long.BYTES + 2 * Integer.BYTES];
  private final ByteBuffer fields = ByteBuffer.wrap(block);

  private LedgerChain(byte[] head) {
    System.arraycopy(head, 0, block, 0, HEAD_BYTES);
  }

  /** Of a run that has made no step. */
  public static LedgerChain begin() {
    return new LedgerChain(digest().digest(BEGINNING.getBytes(StandardCharsets.US_ASCII)));
  }

  /**
   * As it was when it had this head.
   *
   * @throws IllegalArgumentException if the text is no head
   */
  public static LedgerChain at(String head) {
    byte[] bytes = HexFormat.of().parseHex(head);
    if (bytes.length != HEAD_BYTES) {
      throw new IllegalArgumentException(
          "ledger head: expected " + HEAD_BYTES + " bytes, found " + bytes.length);
    }
    return new LedgerChain(bytes);
  }

  /** Allocates nothing. */
  public void add(long step, int lossBits, int gradNormBits, long samples) {
    fields.putLong(HEAD_BYTES, step);
    fields.putInt(HEAD_BYTES + Long.BYTES, lossBits);
    fields.putInt(HEAD_BYTES + Long.BYTES + Integer.BYTES, gradNormBits);
    fields.putLong(HEAD_BYTES + Long.BYTES + 2 * Integer.BYTES, samples);
    sha.update(block);
    try {
      sha.digest(block, 0, HEAD_BYTES);
    } catch (DigestException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** Hexadecimal. */
  public String head() {
    return HexFormat.of().formatHex(block, 0, HEAD_BYTES);
  }

  /** Name of a trajectory: the hash of everything that decides the bits of its steps. */
  public static String trajectory(String text) {
    return HexFormat.of().formatHex(digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException everyJdkHasIt) {
      throw new IllegalStateException(everyJdkHasIt);
    }
  }
}
