package dev.kindling.worker.store;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.Supplier;

/**
 * What a medium holds after a crash.
 *
 * @param digest equal for equal contents
 * @param storage opens it; one that writes changes nobody else's
 */
public record CrashState(String digest, Supplier<Storage> storage) {
  /** Of names and contents; a folder's content is empty and its name ends with a slash. */
  public static String digest(SortedMap<String, byte[]> contents) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Map.Entry<String, byte[]> entry : contents.entrySet()) {
        digest.update(entry.getKey().getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
        digest.update(Integer.toString(entry.getValue().length).getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
        digest.update(entry.getValue());
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
