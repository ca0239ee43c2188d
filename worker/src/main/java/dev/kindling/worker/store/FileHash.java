package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** SHA-256 of files that somebody else made, as 64 hexadecimal digits. Reads every byte. */
public final class FileHash {
  private static final int PIECE_BYTES = 1 << 20;

  private FileHash() {}

  /**
   * Hash of the contents of one file, whatever it is called: as {@code sha256sum} tells it.
   *
   * @throws IOException naming the file
   */
  public static String of(InputFolder folder, String name) throws IOException {
    MessageDigest digest = digest();
    add(folder, name, false, digest);
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Hash of names, lengths and contents of files, in their order.
   *
   * @throws IOException naming the file
   */
  public static String of(InputFolder folder, List<String> names) throws IOException {
    MessageDigest digest = digest();
    for (String name : names) {
      add(folder, name, true, digest);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void add(InputFolder folder, String name, boolean headed, MessageDigest digest)
      throws IOException {
    ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
    try (StorageInput input = folder.open(name)) {
      if (headed) {
        String head = name + ' ' + input.length() + '\n';
        digest.update(head.getBytes(StandardCharsets.UTF_8));
      }
      for (long at = 0; at < input.length(); at += PIECE_BYTES) {
        piece.clear().limit((int) Math.min(PIECE_BYTES, input.length() - at));
        input.readFully(at, piece);
        digest.update(piece.flip());
      }
    } catch (IOException unreadable) {
      throw new IOException(folder.shown(name) + ": cannot be read: " + unreadable, unreadable);
    }
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
