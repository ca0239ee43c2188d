package dev.kindling.worker.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * The CRC32C of a record: of its payload, and since format 4 of the name of its shard (ASCII) and
 * its index there (8 bytes, little-endian) before it, so that a record in another's place is found
 * too. Allocates nothing after construction.
 */
final class RecordSum {
  private final boolean placed;
  private final CRC32C crc = new CRC32C();
  private final ByteBuffer index = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);

  /**
   * @param placed whether sums say where their records are
   */
  RecordSum(boolean placed) {
    this.placed = placed;
  }

  /** Bytes of a shard's name for {@link #of}. */
  static byte[] name(String shard) {
    return shard.getBytes(StandardCharsets.US_ASCII);
  }

  /**
   * @param payload its remaining bytes, which are consumed
   */
  int of(byte[] shard, long record, ByteBuffer payload) {
    crc.reset();
    if (placed) {
      crc.update(shard);
      crc.update(index.putLong(0, record).array());
    }
    crc.update(payload);
    return (int) crc.getValue();
  }
}
