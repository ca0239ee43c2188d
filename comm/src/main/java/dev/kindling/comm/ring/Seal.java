package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.util.zip.CRC32C;

/**
 * The CRC32C of what a connection streamed in one direction in one collective, and its four bytes
 * behind it on the wire. TCP's own sum of 16 bits lets one damaged segment of 65,536 pass. Against
 * accidents only: who can write into the connection can compute a sum.
 */
final class Seal {
  static final int BYTES = Integer.BYTES;

  private final CRC32C crc = new CRC32C();
  private final ByteBuffer wire = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.LITTLE_ENDIAN);

  void begin() {
    crc.reset();
    wire.clear();
  }

  void add(SpanView view, int at, int count) {
    ByteBuffer bytes = view.bytes();
    crc.update(bytes.limit(at + count).position(at));
    bytes.clear();
  }

  int value() {
    return (int) crc.getValue();
  }

  int write(SocketChannel channel) throws IOException {
    wire.putInt(0, value());
    return channel.write(wire);
  }

  int read(SocketChannel channel) throws IOException {
    return channel.read(wire);
  }

  /** What is wrong with what was added, by the seal that was read; empty if nothing. */
  String damage() {
    return wire.position() == 0 ? "" : difference(wire.getInt(0), value());
  }

  static String difference(int expected, int found) {
    return expected == found
        ? ""
        : String.format("expected CRC32C %08x, found %08x", expected, found);
  }
}
