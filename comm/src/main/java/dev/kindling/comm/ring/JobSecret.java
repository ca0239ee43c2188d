package dev.kindling.comm.ring;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The secret that all ranks of a job share. Never printed: there is no accessor. */
public final class JobSecret {
  private static final int MINIMUM_BYTES = 16;
  private static final int FRESH_BYTES = 32;
  private static final String ALGORITHM = "HmacSHA256";

  private final SecretKeySpec key;

  private JobSecret(byte[] bytes) {
    key = new SecretKeySpec(bytes, ALGORITHM);
  }

  /** A fresh secret of 256 bits, as bytes for transport over an authenticated channel. */
  public static byte[] fresh() {
    byte[] bytes = new byte[FRESH_BYTES];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /** The secret in {@code bytes}, which are copied; at least 16. */
  public static JobSecret of(byte[] bytes) {
    if (bytes.length < MINIMUM_BYTES) {
      throw new IllegalArgumentException(
          "secret: expected at least " + MINIMUM_BYTES + " bytes, found " + bytes.length);
    }
    return new JobSecret(bytes);
  }

  /** HMAC-SHA256 of {@code message}, 32 bytes. */
  byte[] sign(byte[] message) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(key);
      return mac.doFinal(message);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
  }

  @Override
  public String toString() {
    return "JobSecret(hidden)";
  }
}
