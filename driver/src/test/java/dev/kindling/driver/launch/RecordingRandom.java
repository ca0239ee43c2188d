package dev.kindling.driver.launch;

import dev.kindling.driver.Main;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.SecureRandomSpi;
import java.security.Security;
import java.util.HexFormat;

/**
 * The command line with a source of randomness that writes down every secret of 32 bytes that the
 * driver makes, so that a test can look for them: nothing else may know them.
 */
public final class RecordingRandom extends Provider {
  private static final long serialVersionUID = 1L;
  static final String FILE = "kindling.test.random";
  private static final int SECRET_BYTES = 32;

  public RecordingRandom() {
    super("Recording", "1", "records what it makes");
    put("SecureRandom.Recording", Source.class.getName());
  }

  /** Takes the words of the command line. */
  public static void main(String[] words) {
    Security.insertProviderAt(new RecordingRandom(), 1);
    Main.main(words);
  }

  /** The system's randomness, written down. */
  public static final class Source extends SecureRandomSpi {
    private static final long serialVersionUID = 1L;
    private final SecureRandom system;

    public Source() throws GeneralSecurityException {
      system = SecureRandom.getInstance("NativePRNGNonBlocking", "SUN");
    }

    @Override
    protected void engineSetSeed(byte[] seed) {
      system.setSeed(seed);
    }

    @Override
    protected void engineNextBytes(byte[] bytes) {
      system.nextBytes(bytes);
      if (bytes.length == SECRET_BYTES) {
        try {
          Files.writeString(
              Path.of(System.getProperty(FILE)),
              HexFormat.of().formatHex(bytes) + "\n",
              StandardCharsets.UTF_8,
              StandardOpenOption.CREATE,
              StandardOpenOption.APPEND);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }

    @Override
    protected byte[] engineGenerateSeed(int count) {
      return system.generateSeed(count);
    }
  }
}
