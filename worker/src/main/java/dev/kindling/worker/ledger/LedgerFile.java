package dev.kindling.worker.ledger;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Lines of one file as they are on storage.
 *
 * @param lines whole and in order, up to the first that is damaged; a torn last line is no line
 * @param damage what is wrong with the first line that does not follow from the one before
 */
record LedgerFile(Path path, LedgerHeader header, List<LedgerLine> lines, Optional<String> damage) {
  private static final int LINES_AT_ONCE = 4096;

  /**
   * Reads the lines of later steps than {@code after}; those before are not touched, but for one.
   *
   * @throws IllegalArgumentException if the file does not begin with a header
   */
  static LedgerFile read(Path path, long after) throws IOException {
    try (SeekableByteChannel channel = Files.newByteChannel(path)) {
      String start = text(channel, LedgerHeader.MAX_BYTES);
      LedgerHeader header;
      try {
        header = LedgerHeader.parse(start);
      } catch (IllegalArgumentException damaged) {
        throw new IllegalArgumentException(path + ": " + damaged.getMessage(), damaged);
      }
      long before = Math.max(0, after - header.after() - 1);
      channel.position(start.indexOf('\n') + 1 + before * LedgerLine.BYTES);
      LedgerFile file = new LedgerFile(path, header, new ArrayList<>(), Optional.empty());
      return file.filled(channel, header.after() + before, after);
    }
  }

  private LedgerFile filled(SeekableByteChannel channel, long last, long after) throws IOException {
    long step = last;
    // The line before the first that is wanted only lends its check.
    Optional<Long> check = last == header.after() ? Optional.of(header.check()) : Optional.empty();
    String text = text(channel, LINES_AT_ONCE * LedgerLine.BYTES);
    while (text.length() >= LedgerLine.BYTES) {
      for (int at = 0; at + LedgerLine.BYTES <= text.length(); at += LedgerLine.BYTES) {
        String line = text.substring(at, at + LedgerLine.BYTES - 1);
        Optional<String> damage = damage(line, ++step, check);
        if (damage.isPresent()) {
          return new LedgerFile(path, header, List.copyOf(lines), damage);
        }
        LedgerLine whole = LedgerLine.parse(line);
        check = Optional.of(whole.check());
        if (step > after) {
          lines.add(whole);
        }
      }
      text = text(channel, LINES_AT_ONCE * LedgerLine.BYTES);
    }
    return new LedgerFile(path, header, List.copyOf(lines), Optional.empty());
  }

  private Optional<String> damage(String line, long step, Optional<Long> before) {
    String where = path + ": line of step " + step + ": expected ";
    try {
      LedgerLine found = LedgerLine.parse(line);
      if (found.step() != step) {
        return Optional.of(where + "that step, found step " + found.step());
      }
      long check =
          before.isEmpty()
              ? found.check()
              : LedgerLine.check(
                  before.get(), step, found.lossBits(), found.gradNormBits(), found.samples());
      return check == found.check()
          ? Optional.empty()
          : Optional.of(
              where
                  + String.format(
                      "check %016x, found %016x: it was changed after it was written",
                      check, found.check()));
    } catch (IllegalArgumentException broken) {
      return Optional.of(where + "a line of a ledger: " + broken.getMessage());
    }
  }

  private static String text(SeekableByteChannel channel, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    int read = 0;
    while (buffer.hasRemaining() && read >= 0) {
      read = channel.read(buffer);
    }
    return new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII);
  }
}
