package dev.kindling.kernels.backend.cuda.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compiled kernels on disk, one file per source, options and compiler. A file is the SHA-256 of its
 * content, then the content: what does not match is compiled again. Processes may share the folder;
 * a file appears whole or not at all.
 */
public final class ImageCache {
  private static final Logger LOG = LoggerFactory.getLogger(ImageCache.class);
  private static final int HASH_BYTES = 32;

  private final Path folder;

  public ImageCache(Path folder) {
    this.folder = folder;
  }

  /**
   * {@code $KINDLING_CACHE/kernels}, else {@code $XDG_CACHE_HOME/kindling/kernels}, else {@code
   * ~/.cache/kindling/kernels}.
   *
   * @param environment of the process
   */
  public static ImageCache ofUser(Map<String, String> environment) {
    String own = environment.getOrDefault("KINDLING_CACHE", "");
    String shared = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path root =
        !own.isEmpty()
            ? Path.of(own)
            : (shared.isEmpty()
                    ? Path.of(System.getProperty("user.home", "."), ".cache")
                    : Path.of(shared))
                .resolve("kindling");
    return new ImageCache(root.resolve("kernels"));
  }

  Path folder() {
    return folder;
  }

  /** Hash of everything that decides the image; parts are told apart by their lengths. */
  static String key(KernelSource source, List<String> options, String compiler) {
    MessageDigest digest = sha256();
    add(digest, source.family());
    add(digest, source.text());
    source
        .headers()
        .forEach(
            (name, text) -> {
              add(digest, name);
              add(digest, text);
            });
    options.forEach(option -> add(digest, option));
    add(digest, compiler);
    return source.family() + "-" + HexFormat.of().formatHex(digest.digest());
  }

  private static void add(MessageDigest digest, String part) {
    byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
    digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
    digest.update(bytes);
  }

  /** The image of this key if it is there and undamaged. */
  Optional<byte[]> find(String key) {
    byte[] file;
    try {
      file = Files.readAllBytes(folder.resolve(key));
    } catch (IOException absent) {
      return Optional.empty();
    }
    byte[] image =
        file.length < HASH_BYTES ? new byte[0] : Arrays.copyOfRange(file, HASH_BYTES, file.length);
    byte[] expected = sha256().digest(image);
    if (file.length <= HASH_BYTES || !Arrays.equals(file, 0, HASH_BYTES, expected, 0, HASH_BYTES)) {
      LOG.warn("{} is damaged and compiled again", folder.resolve(key));
      return Optional.empty();
    }
    return Optional.of(image);
  }

  /** The image of this key, compiled and kept if need be. */
  byte[] get(String key, Supplier<byte[]> compile) {
    Optional<byte[]> kept = find(key);
    if (kept.isPresent()) {
      return kept.get();
    }
    byte[] image = compile.get();
    try {
      keep(key, image);
    } catch (IOException | UncheckedIOException unwritable) {
      // A read-only home costs the next start some seconds, never this run.
      LOG.warn("{} cannot be written; kernels are compiled at every start", folder, unwritable);
    }
    return image;
  }

  private void keep(String key, byte[] image) throws IOException {
    Files.createDirectories(folder);
    Path fresh = Files.createTempFile(folder, key, ".new");
    try {
      byte[] file = Arrays.copyOf(sha256().digest(image), HASH_BYTES + image.length);
      System.arraycopy(image, 0, file, HASH_BYTES, image.length);
      Files.write(fresh, file);
      Files.move(fresh, folder.resolve(key), StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(fresh);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every JDK has SHA-256", impossible);
    }
  }
}
