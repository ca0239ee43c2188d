package dev.kindling.driver.doctor;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.stream.Stream;

/** Whether a folder can hold runs: what checkpoints and the owner's lock need of a file system. */
final class FolderCheck {
  /** Below this a checkpoint of a small model may already fail. */
  private static final long LOW_BYTES = 5L << 30;

  private FolderCheck() {}

  /**
   * @param folder of the runs; a part that does not exist yet is looked at through its nearest
   *     parent
   */
  static Finding examine(Path folder) {
    Path existing = folder.toAbsolutePath().normalize();
    while (!Files.exists(existing)) {
      existing = java.util.Objects.requireNonNull(existing.getParent(), "the root exists");
    }
    String shown = existing.toString();
    Path place;
    try {
      place = Files.createTempDirectory(existing, ".kindling-doctor-");
    } catch (IOException e) {
      return Finding.wrong(
          "storage", shown + ": cannot be written (" + e + ")", "choose another folder: --run-dir");
    }
    try {
      String lacking = lacking(place);
      if (!lacking.isEmpty()) {
        return Finding.wrong(
            "storage",
            shown + ": " + lacking,
            "use a local or POSIX file system: checkpoints depend on this");
      }
      long free = Files.getFileStore(place).getUsableSpace();
      String text = "%s: %.1f GiB free".formatted(shown, free / (double) (1L << 30));
      return free < LOW_BYTES
          ? Finding.note("storage", text, "a checkpoint holds 12 bytes a parameter, twice")
          : Finding.ok("storage", text + ", exclusive create, atomic rename and locks work");
    } catch (IOException e) {
      return Finding.wrong("storage", shown + ": " + e, "choose another folder: --run-dir");
    } finally {
      delete(place);
    }
  }

  private static String lacking(Path place) throws IOException {
    Path first = Files.writeString(place.resolve("first"), "1");
    Path second = Files.writeString(place.resolve("second"), "2");
    try {
      Files.write(first, new byte[] {3}, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      return "a file that must be new replaced one";
    } catch (FileAlreadyExistsException expected) {
      // As it must be: two commits of one step cannot both win.
    }
    Files.move(second, first, StandardCopyOption.ATOMIC_MOVE);
    if (!Files.readString(first).equals("2")) {
      return "an atomic rename left the old content";
    }
    try (FileChannel channel = FileChannel.open(first, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      channel.force(true);
      return lock == null ? "a file cannot be locked" : "";
    }
  }

  private static void delete(Path place) {
    try (Stream<Path> paths = Files.walk(place)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (NoSuchFileException gone) {
      // Nothing to do.
    } catch (IOException left) {
      throw new IllegalStateException("cannot delete " + place + ", which was just made", left);
    }
  }
}
