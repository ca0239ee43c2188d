package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads single sequences of a split, each with one positional read and checked against its CRC and
 * the vocabulary. For one thread; allocates nothing after {@code open}.
 */
public final class SequenceReader implements AutoCloseable {
  private final TokenShards shards;
  private final Manifest manifest;
  private final List<Path> files = new ArrayList<>();
  private final List<byte[]> names = new ArrayList<>();
  private final List<FileChannel> channels = new ArrayList<>();
  private final long sequences;
  private final long perShard;
  private final ByteBuffer record;
  private final RecordSum sum;

  private SequenceReader(TokenShards shards, SplitName split) {
    this.shards = shards;
    this.manifest = shards.manifest();
    Manifest.Part part = shards.part(split);
    this.sequences = part.sequences();
    this.perShard = part.shards().isEmpty() ? 1 : part.shards().get(0).sequences();
    this.sum = new RecordSum(manifest.placed());
    this.record = ByteBuffer.allocateDirect(manifest.recordBytes()).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * @throws DataException when a shard cannot be opened
   */
  public static SequenceReader open(TokenShards shards, SplitName split) {
    SequenceReader reader = new SequenceReader(shards, split);
    try {
      for (Manifest.Shard shard : shards.part(split).shards()) {
        Path file = shards.folder().resolve(shard.file());
        reader.files.add(file);
        reader.names.add(RecordSum.name(shard.file()));
        reader.channels.add(FileChannel.open(file, StandardOpenOption.READ));
      }
      return reader;
    } catch (IOException e) {
      reader.close();
      throw new DataException(shards.folder() + ": cannot be opened: " + e, e);
    }
  }

  public long sequences() {
    return sequences;
  }

  public TokenShards shards() {
    return shards;
  }

  /**
   * Reads the L + 1 tokens of a sequence.
   *
   * @param into at least L + 1 long
   * @throws DataException naming shard and byte offset of a record that is damaged or holds an id
   *     outside the vocabulary
   */
  public void read(long sequence, int[] into) {
    if (sequence < 0 || sequence >= sequences) {
      throw new IndexOutOfBoundsException("sequence " + sequence + " of " + sequences);
    }
    int shard = (int) (sequence / perShard);
    long index = sequence % perShard;
    long offset = index * manifest.recordBytes();
    fill(shard, offset);
    int payload = manifest.recordBytes() - Integer.BYTES;
    int found = sum.of(names.get(shard), index, record.limit(payload));
    record.clear();
    if (found != record.getInt(payload)) {
      throw new DataException(
          files.get(shard)
              + ": byte "
              + offset
              + ": expected CRC32C "
              + Integer.toHexString(record.getInt(payload))
              + ", found "
              + Integer.toHexString(found)
              + (manifest.placed() ? " (flipped bytes, another record?)" : " (flipped bytes?)"));
    }
    int width = manifest.tokenBytes();
    for (int k = 0; k <= manifest.sequenceLength(); k++) {
      int id =
          width == 1
              ? record.get(k) & 0xff
              : width == 2 ? record.getShort(2 * k) & 0xffff : record.getInt(4 * k);
      if (id < 0 || id >= manifest.vocabularySize()) {
        throw new DataException(
            files.get(shard)
                + ": byte "
                + (offset + (long) k * width)
                + ": expected a token id in [0, "
                + manifest.vocabularySize()
                + "), found "
                + id);
      }
      into[k] = id;
    }
  }

  /**
   * As {@link #read(long, int[])}, and the flags of a set of examples.
   *
   * @param flagsInto at least L + 1 long
   */
  public void read(long sequence, int[] into, byte[] flagsInto) {
    if (!manifest.examples()) {
      throw new IllegalStateException(shards.folder() + ": flags exist only in sets of examples");
    }
    read(sequence, into);
    int tokens = manifest.sequenceLength() + 1;
    record.get(tokens * manifest.tokenBytes(), flagsInto, 0, tokens);
  }

  private void fill(int shard, long offset) {
    FileChannel channel = channels.get(shard);
    record.clear();
    try {
      while (record.hasRemaining()) {
        if (channel.read(record, offset + record.position()) < 0) {
          throw new DataException(
              files.get(shard)
                  + ": byte "
                  + (offset + record.position())
                  + ": expected "
                  + record.remaining()
                  + " bytes more, found the end (truncated?)");
        }
      }
    } catch (IOException e) {
      throw new DataException(files.get(shard) + ": cannot be read: " + e, e);
    }
    record.clear();
  }

  @Override
  public void close() {
    for (FileChannel channel : channels) {
      try {
        channel.close();
      } catch (IOException e) {
        throw new DataException(shards.folder() + ": cannot be closed: " + e, e);
      }
    }
  }
}
