package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/** A tmpfs of a few bytes or files that can be filled and made read-only. Mounting needs root. */
public record SmallDisk(Path folder) implements AutoCloseable {
  private static final String BALLAST = "ballast-";
  private static final int PAGE_BYTES = 4096;

  /**
   * Mounts one, or skips the test and says why it cannot.
   *
   * @param options as of {@code mount -t tmpfs -o}
   */
  public static SmallDisk mount(Path folder, String options) throws IOException {
    Files.createDirectories(folder);
    String refusal = run("mount", "-t", "tmpfs", "-o", options, "kindling-test", folder.toString());
    if (!refusal.isEmpty()) {
      System.out.println("skipped, since this machine mounts no tmpfs: " + refusal);
    }
    Assumptions.assumeTrue(refusal.isEmpty(), "this machine mounts no tmpfs: " + refusal);
    return new SmallDisk(folder);
  }

  public void remount(String options) throws IOException {
    String refusal = run("mount", "-o", "remount," + options, folder.toString());
    if (!refusal.isEmpty()) {
      throw new IOException(refusal);
    }
  }

  /** Leaves room for so many pages of 4 KiB. */
  public void fill(int pagesLeft) throws IOException {
    Path file = folder.resolve(BALLAST + "bytes");
    long pages = Files.getFileStore(folder).getUsableSpace() / PAGE_BYTES - pagesLeft;
    Files.write(file, new byte[(int) pages * PAGE_BYTES]);
  }

  /** Leaves room for so many files and folders. */
  public void crowd(int filesLeft) throws IOException {
    List<Path> made = new ArrayList<>();
    try {
      while (true) {
        made.add(Files.createFile(folder.resolve(BALLAST + made.size())));
      }
    } catch (IOException full) {
      for (Path file : made.subList(0, filesLeft)) {
        Files.delete(file);
      }
    }
  }

  /** Gives back what {@link #fill} and {@link #crowd} took. */
  public void empty() throws IOException {
    try (var files = Files.newDirectoryStream(folder, BALLAST + "*")) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
  }

  /** What the command said if it failed, else nothing. */
  private static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text =
        new String(
            process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    try {
      return process.waitFor() == 0 ? "" : text.strip() + " (" + process.exitValue() + ")";
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IOException(stopped);
    }
  }

  /** Also under files that are still open. */
  @Override
  public void close() throws IOException {
    run("umount", "-l", folder.toString());
  }
}
