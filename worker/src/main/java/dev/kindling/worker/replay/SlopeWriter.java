package dev.kindling.worker.replay;

import dev.kindling.worker.step.StepOutcome;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;

/**
 * Appends the steps of one attempt. The system gets each at once, a few microseconds a step, so
 * that a process which is killed loses none; the disk gets them before a checkpoint, so that what a
 * checkpoint holds the log holds too. Trouble of the storage ends the log and nothing else.
 */
public final class SlopeWriter implements AutoCloseable {
  /** Folder inside the run folder. */
  public static final String FOLDER = "slopes";

  /** As many records as a step has directions at most. */
  private static final int BUFFER_BYTES = 1024 * SlopeRecord.BYTES;

  private final ByteBuffer buffer =
      ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final Path file;
  private final FileChannel channel;
  private String failure = "";

  private SlopeWriter(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Begins a file, which must be new.
   *
   * @param epoch of the attempt
   * @param segment counts what the attempt begins, from 0
   */
  public static SlopeWriter open(Path runDir, long epoch, int segment, SlopeHeader header)
      throws IOException {
    Path folder = runDir.resolve(FOLDER);
    Files.createDirectories(
        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path file = folder.resolve(String.format(Locale.ROOT, "e%010d-s%04d.log", epoch, segment));
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    SlopeWriter writer = new SlopeWriter(Objects.requireNonNull(file), channel);
    ByteBuffer first = ByteBuffer.wrap(header.bytes());
    while (first.hasRemaining()) {
      channel.write(first);
    }
    return writer;
  }

  /** Allocates nothing. */
  public void append(long step, StepOutcome outcome, float rate) {
    for (int direction = 0; direction < outcome.directions(); direction++) {
      float slope = outcome.projected(direction);
      SlopeRecord.put(buffer, step, direction, slope, rate, outcome.skipped());
    }
    write();
  }

  private void write() {
    buffer.flip();
    try {
      while (failure.isEmpty() && buffer.hasRemaining()) {
        channel.write(buffer);
      }
    } catch (IOException failed) {
      failure = file + ": " + failed;
    }
    buffer.clear();
  }

  /**
   * Hands everything to the disk.
   *
   * @return why the log ends, or nothing
   */
  public String flush() {
    try {
      if (failure.isEmpty()) {
        channel.force(false);
      }
    } catch (IOException failed) {
      failure = file + ": " + failed;
    }
    return failure;
  }

  @Override
  public void close() {
    flush();
    try {
      channel.close();
    } catch (IOException failed) {
      failure = file + ": " + failed;
    }
  }
}
