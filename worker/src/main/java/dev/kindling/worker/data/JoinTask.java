package dev.kindling.worker.data;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;

/**
 * Copies sequences of prepared sets into a shard of a mixture. Where one part has examples the
 * others get flags too: all targets count, and an example begins behind each separator if the part
 * masks documents.
 *
 * @param folders of the parts' sets
 */
record JoinTask(ArrayList<String> folders, String target, boolean examples)
    implements WorkPool.Task<JoinTask.Input, Manifest.Shard> {
  /**
   * @param pieces part, first sequence and number of sequences, three numbers each
   */
  record Input(ShardTask.Input cut, ArrayList<long[]> pieces) implements Serializable {}

  @Override
  public Manifest.Shard run(Input input) {
    Manifest like = TokenShards.open(Path.of(folders.get(0))).manifest();
    int tokens = like.sequenceLength() + 1;
    int width = like.tokenBytes();
    try (ShardFile file = new ShardFile(target, input.cut, tokens * (width + (examples ? 1 : 0)))) {
      for (long[] piece : input.pieces) {
        TokenShards part = TokenShards.open(Path.of(folders.get((int) piece[0])));
        try (SequenceReader reader = SequenceReader.open(part, input.cut.split())) {
          copy(reader, piece[1], piece[2], file);
        }
      }
      return file.finish();
    } catch (IOException e) {
      throw new DataException(target + ": cannot be written: " + e, e);
    }
  }

  private void copy(SequenceReader reader, long first, long count, ShardFile file)
      throws IOException {
    Manifest manifest = reader.shards().manifest();
    int width = manifest.tokenBytes();
    int[] tokens = new int[manifest.sequenceLength() + 1];
    byte[] flags = new byte[tokens.length];
    for (long k = first; k < first + count; k++) {
      if (manifest.examples()) {
        reader.read(k, tokens, flags);
      } else {
        reader.read(k, tokens);
        flag(manifest, tokens, flags);
      }
      byte[] payload = file.payload();
      for (int i = 0; i < tokens.length; i++) {
        for (int b = 0; b < width; b++) {
          payload[i * width + b] = (byte) (tokens[i] >>> (8 * b));
        }
      }
      if (examples) {
        System.arraycopy(flags, 0, payload, tokens.length * width, flags.length);
      }
      file.write();
    }
  }

  private static void flag(Manifest manifest, int[] tokens, byte[] flags) {
    Arrays.fill(flags, (byte) ExampleFlags.COUNTS);
    flags[0] = ExampleFlags.BEGINS;
    for (int i = 1; manifest.maskDocuments() && i < tokens.length; i++) {
      if (tokens[i - 1] == manifest.separator()) {
        flags[i] = ExampleFlags.BEGINS;
      }
    }
  }
}
