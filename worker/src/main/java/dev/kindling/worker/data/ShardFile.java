package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/** One shard as it is written, record after record. */
final class ShardFile implements AutoCloseable {
  private final String name;
  private final FileChannel out;
  private final ByteBuffer record;
  private final MessageDigest digest = Sha256.fresh();
  private final CRC32C crc = new CRC32C();
  private long records;

  /**
   * @param payload bytes of a record before its CRC
   */
  ShardFile(String folder, ShardTask.Input cut, int payload) throws IOException {
    name = ShardTask.name(cut);
    record = ByteBuffer.allocate(payload + Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out =
        FileChannel.open(
            Path.of(folder, name),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
  }

  /** Where the next record's payload goes. */
  byte[] payload() {
    return record.array();
  }

  /** Writes the payload with its CRC. */
  void write() throws IOException {
    int payload = record.capacity() - Integer.BYTES;
    crc.reset();
    crc.update(record.array(), 0, payload);
    record.putInt(payload, (int) crc.getValue());
    digest.update(record.array());
    record.rewind();
    while (record.hasRemaining()) {
      out.write(record);
    }
    records++;
  }

  /** Forces it to disk; nothing can be written afterwards. */
  Manifest.Shard finish() throws IOException {
    out.force(true);
    return new Manifest.Shard(name, records, HexFormat.of().formatHex(digest.digest()));
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
