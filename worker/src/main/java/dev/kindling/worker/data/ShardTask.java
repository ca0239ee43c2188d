package dev.kindling.worker.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;

/**
 * Third pass: cuts one shard out of the token stream. Sequence {@code i} of a split is tokens
 * {@code [i * L, i * L + L]} of its stream: L inputs and, shifted by one, L targets; neighbours
 * share one token, so no target is lost.
 *
 * @param tokens per split, tokens of each group's part file
 */
record ShardTask(String parts, String target, int tokenBytes, int sequenceLength, long[][] tokens)
    implements WorkPool.Task<ShardTask.Input, Manifest.Shard> {
  /** Sequences {@code [first, first + count)} of a split become shard {@code number}. */
  record Input(SplitName split, int number, long first, long count) implements Serializable {}

  @Override
  public Manifest.Shard run(Input input) {
    int payload = (sequenceLength + 1) * tokenBytes;
    try (Stream stream = new Stream(input.split, input.first * sequenceLength);
        ShardFile out = new ShardFile(target, input, payload)) {
      byte[] bytes = out.payload();
      stream.read(bytes, 0, tokenBytes);
      for (long k = 0; k < input.count; k++) {
        stream.read(bytes, tokenBytes, payload - tokenBytes);
        out.write();
        System.arraycopy(bytes, payload - tokenBytes, bytes, 0, tokenBytes);
      }
      return out.finish();
    } catch (IOException e) {
      throw new DataException(target + "/" + name(input) + ": cannot be written: " + e, e);
    }
  }

  static String name(Input cut) {
    return String.format("%s-%05d.tokens", cut.split.word(), cut.number);
  }

  /** The part files of a split, end to end, from a token on. */
  private final class Stream implements AutoCloseable {
    private final SplitName split;
    private int part;
    private InputStream in;

    Stream(SplitName split, long token) throws IOException {
      this.split = split;
      long[] counts = tokens[split.ordinal()];
      long skip = token;
      while (part < counts.length - 1 && skip >= counts[part]) {
        skip -= counts[part++];
      }
      this.in = open(skip);
    }

    private InputStream open(long token) throws IOException {
      FileChannel channel = FileChannel.open(TokenizeTask.file(parts, split, part));
      channel.position(token * tokenBytes);
      return new BufferedInputStream(Channels.newInputStream(channel), 1 << 18);
    }

    void read(byte[] into, int offset, int length) throws IOException {
      int done = in.readNBytes(into, offset, length);
      while (done < length) {
        if (++part >= tokens[split.ordinal()].length) {
          throw new EOFException("part files are shorter than counted");
        }
        in.close();
        in = open(0);
        done += in.readNBytes(into, offset + done, length - done);
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
