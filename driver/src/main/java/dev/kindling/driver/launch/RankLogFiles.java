package dev.kindling.driver.launch;

import dev.kindling.worker.event.LoggedLines;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Files {@code rank-N.log} of a folder, their owner's alone. One that is full becomes {@code
 * rank-N.old.log} in the place of the one before, so that a rank takes twice the limit at most. For
 * one thread.
 */
final class RankLogFiles {
  /** Name of the folder in a run folder. */
  static final String FOLDER = "logs";

  /** Some 50,000 lines. */
  static final long LIMIT_BYTES = 4L << 20;

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private final Path folder;
  private final String shown;
  private final long limitBytes;
  private boolean broken;

  /**
   * @param shown the run folder as people name it
   */
  RankLogFiles(Path run, String shown) {
    this(run, shown, LIMIT_BYTES);
  }

  RankLogFiles(Path run, String shown, long limitBytes) {
    this.folder = run.resolve(FOLDER);
    this.shown = shown;
    this.limitBytes = limitBytes;
  }

  private static String name(int rank) {
    return "rank-" + rank + ".log";
  }

  /** Where to look after a failure of the rank. */
  String words(int rank) {
    return "log of rank %d: %s/%s".formatted(rank, this, name(rank));
  }

  @Override
  public String toString() {
    return shown + "/" + FOLDER;
  }

  /** Time, attempt and words; what is no character of a text could move a terminal's cursor. */
  static String line(LoggedLines.Line line, int attempt, LogMask mask) {
    return TIME.format(Instant.ofEpochMilli(line.unixMillis()))
        + " attempt "
        + attempt
        + " "
        + mask.apply(line.text()).replaceAll("[\\p{Cntrl}&&[^\t]]", "?");
  }

  /**
   * Appends lines.
   *
   * @return why nothing is written any more, the first time only
   */
  Optional<String> append(int rank, List<String> lines) {
    if (broken) {
      return Optional.empty();
    }
    byte[] bytes = (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve(name(rank));
    try {
      if (!Files.isDirectory(folder)) {
        Files.createDirectory(
            folder,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      if (Files.exists(file) && Files.size(file) + bytes.length > limitBytes) {
        String old = "rank-" + rank + ".old.log";
        Files.move(file, folder.resolve(old), StandardCopyOption.REPLACE_EXISTING);
        write(file, ("earlier lines: " + old + "\n").getBytes(StandardCharsets.UTF_8));
      }
      write(file, bytes);
      return Optional.empty();
    } catch (IOException e) {
      broken = true;
      return Optional.of("no more logs of the ranks in " + this + ": " + e);
    }
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    try (OutputStream out =
        Channels.newOutputStream(
            Files.newByteChannel(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(
                    PosixFilePermissions.fromString("rw-------"))))) {
      out.write(bytes);
    }
  }
}
