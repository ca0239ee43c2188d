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
import java.util.Map;

/**
 * The lines of a JSON lines file that begin in bytes {@code [start, end)}; blank lines are no
 * documents.
 */
record JsonlFragment(String path, String name, String field, long start, long end)
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
      long at = start == 0 ? 0 : lineAfter(channel, start - 1);
      byte[] held = new byte[0];
      while (at < end) {
        held = fill(channel, at, Math.max(CHUNK, 2L * held.length));
        int from = 0;
        for (int newline = find(held, 0); newline >= 0 && at + from < end; ) {
          line(sink, held, from, newline, at + from);
          from = newline + 1;
          newline = find(held, from);
        }
        boolean last = at + held.length >= channel.size();
        if (last && from < held.length && at + from < end) {
          line(sink, held, from, held.length, at + from);
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

  private void line(Sink sink, byte[] held, int from, int to, long offset) {
    byte[] line = Arrays.copyOfRange(held, from, to);
    Utf8.check(line, path, offset);
    if (new String(line, StandardCharsets.UTF_8).isBlank()) {
      return;
    }
    sink.document(name + "@" + offset, text(line, offset));
  }

  private byte[] text(byte[] line, long offset) {
    Json value;
    try {
      value = JsonReader.read(line, path, JsonReader.Limits.FOREIGN);
    } catch (JsonException e) {
      String where = path + ": byte " + (offset + e.offset());
      throw new DataException(where + ": not JSON: " + e.reason(), e);
    }
    Map<String, Json> members = value instanceof Json.Obj object ? object.members() : Map.of();
    if (!(members.get(field) instanceof Json.Text text) || text.value().isEmpty()) {
      throw new DataException(
          path
              + ": byte "
              + offset
              + ": expected an object with a text in member \""
              + field
              + "\", found "
              + (value instanceof Json.Obj ? "members " + members.keySet() : "no object"));
    }
    if (text.value().indexOf('\0') >= 0) {
      throw new DataException(path + ": byte " + offset + ": expected text, found NUL in it");
    }
    return text.value().getBytes(StandardCharsets.UTF_8);
  }
}
