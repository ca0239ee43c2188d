package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;

/** One shard of the newest format as it is written, record after record. */
final class ShardFile implements AutoCloseable {
  private final String name;
  private final FileChannel out;
  private final ByteBuffer record;
  private final MessageDigest digest = Sha256.fresh();
  private final RecordSum sum = new RecordSum(true);
  private final byte[] nameBytes;
  private long records;

  /**
   * @param payload bytes of a record before its CRC
   */
  ShardFile(String folder, ShardTask.Input cut, int payload) throws IOException {
    name = ShardTask.name(cut);
    nameBytes = RecordSum.name(name);
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
    record.clear().limit(payload);
    int value = sum.of(nameBytes, records, record);
    record.clear();
    record.putInt(payload, value);
    digest.update(record.array());
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
