package dev.kindling.worker.data;

import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Third pass for examples: copies them out of the part files into the records of one shard. */
record ExampleShardTask(
    String parts, String target, int tokenBytes, int sequenceLength, int separator)
    implements WorkPool.Task<ExampleShardTask.Input, Manifest.Shard> {
  /**
   * @param sequences per sequence three numbers an example: its group, the byte in the group's part
   *     file, its tokens
   */
  record Input(ShardTask.Input cut, ArrayList<long[]> sequences) implements Serializable {}

  /** Where the examples of a split lie, made from the lengths that the second pass counted. */
  static final class Places {
    private final List<int[]> packed;
    private final int[] groups;
    private final long[] offsets;
    private final int[] lengths;

    Places(SplitName split, List<TokenizeTask.Counts> counts, int tokenBytes, int capacity) {
      int side = split.ordinal();
      int total = counts.stream().mapToInt(count -> count.lengths()[side].length).sum();
      groups = new int[total];
      offsets = new long[total];
      lengths = new int[total];
      int example = 0;
      for (int group = 0; group < counts.size(); group++) {
        long offset = 0;
        for (int length : counts.get(group).lengths()[side]) {
          groups[example] = group;
          offsets[example] = offset;
          lengths[example++] = length;
          offset += (long) length * (tokenBytes + 1);
        }
      }
      packed = ExamplePacking.bestFit(lengths, capacity);
    }

    long sequences() {
      return packed.size();
    }

    Input input(ShardTask.Input cut) {
      ArrayList<long[]> sequences = new ArrayList<>();
      for (long k = cut.first(); k < cut.first() + cut.count(); k++) {
        int[] examples = packed.get((int) k);
        long[] places = new long[3 * examples.length];
        for (int i = 0; i < examples.length; i++) {
          places[3 * i] = groups[examples[i]];
          places[3 * i + 1] = offsets[examples[i]];
          places[3 * i + 2] = lengths[examples[i]];
        }
        sequences.add(places);
      }
      return new Input(cut, sequences);
    }
  }

  @Override
  public Manifest.Shard run(Input input) {
    ShardTask.Input cut = input.cut;
    try (Parts files = new Parts(cut.split());
        ShardFile out = new ShardFile(target, cut, (sequenceLength + 1) * (tokenBytes + 1))) {
      for (long[] sequence : input.sequences) {
        fill(out.payload(), sequence, files);
        out.write();
      }
      return out.finish();
    } catch (IOException e) {
      throw new DataException(target + "/" + ShardTask.name(cut) + ": cannot be written: " + e, e);
    }
  }

  private void fill(byte[] record, long[] sequence, Parts files) throws IOException {
    int tokens = sequenceLength + 1;
    int flags = tokens * tokenBytes;
    int at = 0;
    for (int i = 0; i < sequence.length; i += 3) {
      int length = (int) sequence[i + 2];
      byte[] example = files.read((int) sequence[i], sequence[i + 1], length * (tokenBytes + 1));
      System.arraycopy(example, 0, record, at * tokenBytes, length * tokenBytes);
      System.arraycopy(example, length * tokenBytes, record, flags + at, length);
      at += length;
    }
    Arrays.fill(record, flags + at, flags + tokens, (byte) 0);
    if (at < tokens) {
      record[flags + at] = ExampleFlags.BEGINS;
    }
    for (; at < tokens; at++) {
      for (int k = 0; k < tokenBytes; k++) {
        record[at * tokenBytes + k] = (byte) (separator >>> (8 * k));
      }
    }
  }

  /** The part files of a split, one open at a time: there may be more than a process may open. */
  private final class Parts implements AutoCloseable {
    private final SplitName split;
    private int open;
    private FileChannel channel;

    Parts(SplitName split) throws IOException {
      this.split = split;
      this.channel = FileChannel.open(TokenizeTask.file(parts, split, 0));
    }

    byte[] read(int group, long offset, int bytes) throws IOException {
      if (group != open) {
        channel.close();
        channel = FileChannel.open(TokenizeTask.file(parts, split, group));
        open = group;
      }
      ByteBuffer example = ByteBuffer.allocate(bytes);
      while (example.hasRemaining()) {
        if (channel.read(example, offset + example.position()) < 0) {
          throw new IOException("part file " + group + " is shorter than counted");
        }
      }
      return example.array();
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
