package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The lines of a JSON lines file that begin in bytes {@code [start, end)}; blank lines are no
 * documents.
 */
record JsonlFragment(
    String path, String name, LineContent content, BadLines badLines, long start, long end)
    implements Fragment {
  private static final int CHUNK = 1 << 20;
  private static final int LINE_LIMIT = 1 << 30;

  @Override
  public long bytes() {
    return end - start;
  }

  @Override
  public void read(Sink sink) {
    try (FileChannel channel = FileChannel.open(Path.of(path))) {
      Numbers numbers = new Numbers(channel);
      long at = start == 0 ? 0 : lineAfter(channel, start - 1);
      byte[] held = new byte[0];
      while (at < end) {
        held = fill(channel, at, Math.max(CHUNK, 2L * held.length));
        int from = 0;
        for (int newline = find(held, 0); newline >= 0 && at + from < end; ) {
          line(sink, held, from, newline, at + from, numbers);
          from = newline + 1;
          newline = find(held, from);
        }
        boolean last = at + held.length >= channel.size();
        if (last && from < held.length && at + from < end) {
          line(sink, held, from, held.length, at + from, numbers);
          from = held.length;
        }
        at += from;
        // Nothing whole in the window: look again through a larger one.
        held = from == 0 && !last ? held : new byte[0];
        if (last) {
          return;
        }
      }
    } catch (IOException e) {
      throw new DataException(path + ": cannot be read: " + e, e);
    }
  }

  private byte[] fill(FileChannel channel, long at, long bytes) throws IOException {
    if (bytes > LINE_LIMIT) {
      throw new DataException(path + ": byte " + at + ": expected a line of at most 1 GiB");
    }
    ByteBuffer window = ByteBuffer.allocate((int) Math.min(bytes, channel.size() - at));
    while (window.hasRemaining()) {
      if (channel.read(window, at + window.position()) < 0) {
        throw new DataException(path + ": changed while it was read");
      }
    }
    return window.array();
  }

  /** Start of the first line after the newline at or behind {@code at}. */
  private long lineAfter(FileChannel channel, long at) throws IOException {
    while (at < channel.size()) {
      byte[] window = fill(channel, at, CHUNK);
      int newline = find(window, 0);
      if (newline >= 0) {
        return at + newline + 1;
      }
      at += window.length;
    }
    return at;
  }

  private static int find(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  private void line(Sink sink, byte[] held, int from, int to, long offset, Numbers numbers)
      throws IOException {
    byte[] line = Arrays.copyOfRange(held, from, to);
    try {
      Utf8.Fault fault = Utf8.fault(line);
      if (fault != null) {
        throw new BadLine(fault.offset(), fault.reason());
      }
      if (!new String(line, StandardCharsets.UTF_8).isBlank()) {
        sink.document(name + "@" + offset, content.document(parsed(line)));
      }
    } catch (BadLine e) {
      String place = path + ":" + numbers.of(offset) + ": byte " + (offset + e.offset());
      if (badLines == BadLines.FAIL) {
        throw new DataException(place + ": " + e.getMessage(), e);
      }
      sink.skipped(place + ": " + e.getMessage());
    }
  }

  private Json parsed(byte[] line) {
    try {
      return JsonReader.read(line, path, JsonReader.Limits.FOREIGN);
    } catch (JsonException e) {
      throw new BadLine(e.offset(), "not JSON: " + e.reason());
    }
  }

  /** Numbers of lines, from 1; reads the file from the last one asked for, so once in all. */
  private final class Numbers {
    private final FileChannel channel;
    private long at;
    private long number = 1;

    Numbers(FileChannel channel) {
      this.channel = channel;
    }

    long of(long offset) throws IOException {
      while (at < offset) {
        byte[] window = fill(channel, at, Math.min(CHUNK, offset - at));
        for (byte b : window) {
          number += b == '\n' ? 1 : 0;
        }
        at += window.length;
      }
      return number;
    }
  }
}
