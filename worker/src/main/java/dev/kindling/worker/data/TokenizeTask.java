package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Second pass: the tokens of a group, one file a split. Of a stream that is tokens with a separator
 * after each document; of examples it is, for each, its tokens and then its flags. Places in the
 * whole set are only known when all groups are done, so packing is a third pass.
 *
 * @param chat null: a stream
 * @param line documents placed below it are held out, where the group fixes no split
 * @param folder shared by all tasks
 */
record TokenizeTask(
    TokenizerSpec tokenizer, @Nullable ChatFormat chat, int tokenBytes, long line, String folder)
    implements WorkPool.Task<TokenizeTask.Input, TokenizeTask.Counts> {
  /**
   * @param dropped documents of the group, by number, that lie in an earlier one too
   */
  record Input(Group group, BitSet dropped) implements Serializable {}

  /**
   * Per split, in the order of {@link SplitName}.
   *
   * @param lengths tokens of each example in order; empty for streams
   */
  record Counts(long[] tokens, long[] documents, long[] textBytes, int[][] lengths, LeftOut leftOut)
      implements Serializable {}

  @Override
  public Counts run(Input input) {
    int index = input.group.index();
    Tokenizer open = Tokenizer.open(tokenizer);
    try (DocumentEncoder encoder =
            chat == null ? DocumentEncoder.stream(open) : new ChatEncoder(chat, open);
        OutputStream train = create(file(folder, SplitName.TRAIN, index));
        OutputStream validation = create(file(folder, SplitName.VALIDATION, index));
        OutputStream documents = create(documents(folder, index));
        OutputStream leftOut = create(leftOut(folder, index))) {
      Writer writer =
          new Writer(input, encoder, new OutputStream[] {train, validation}, documents, leftOut);
      input.group.read(writer);
      return writer.counts();
    } catch (IOException e) {
      throw new DataException(folder + ": cannot be written: " + e, e);
    }
  }

  static Path file(String folder, SplitName split, int index) {
    return Path.of(folder, "part-" + index + "." + split.word());
  }

  static Path documents(String folder, int index) {
    return Path.of(folder, "part-" + index + ".documents");
  }

  static Path leftOut(String folder, int index) {
    return Path.of(folder, "part-" + index + ".left-out");
  }

  private static OutputStream create(Path file) throws IOException {
    return new BufferedOutputStream(Files.newOutputStream(file), 1 << 18);
  }

  /** Writes the documents of one group as they come. */
  private final class Writer implements Fragment.Sink {
    private static final int SHOWN = 1000;

    private final Input input;
    private final DocumentEncoder encoder;
    private final OutputStream[] streams;
    private final OutputStream documents;
    private final OutputStream leftOut;
    private final long[] tokens = new long[2];
    private final long[] kept = new long[2];
    private final long[] textBytes = new long[2];
    private final IntStream.Builder[] lengths = {IntStream.builder(), IntStream.builder()};
    private long badLines;
    private long tooLong;
    private long cut;
    private int number;

    Writer(
        Input input,
        DocumentEncoder encoder,
        OutputStream[] streams,
        OutputStream documents,
        OutputStream leftOut) {
      this.input = input;
      this.encoder = encoder;
      this.streams = streams;
      this.documents = documents;
      this.leftOut = leftOut;
    }

    Counts counts() {
      int[][] all = {lengths[0].build().toArray(), lengths[1].build().toArray()};
      return new Counts(tokens, kept, textBytes, all, new LeftOut(badLines, tooLong, cut));
    }

    @Override
    public void skipped(String what) {
      badLines++;
      leftOut(what);
    }

    private void leftOut(String what) {
      if (badLines + tooLong > SHOWN) {
        return;
      }
      try {
        leftOut.write((what + "\n").getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        throw unwritten(e);
      }
    }

    private DataException unwritten(IOException e) {
      return new DataException(folder + ": cannot be written: " + e, e);
    }

    @Override
    public void document(String name, byte[] utf8) {
      if (input.dropped.get(number++)) {
        return;
      }
      Optional<Example> encoded = encoder.encode(utf8);
      if (encoded.isEmpty()) {
        tooLong++;
        leftOut(name + ": longer than a sequence");
        return;
      }
      byte[] hash = Sha256.fresh().digest(utf8);
      SplitName fixed = input.group.fixed();
      SplitName split =
          fixed != null
              ? fixed
              : ScanTask.place(hash) < line ? SplitName.VALIDATION : SplitName.TRAIN;
      Example example = encoded.get();
      int side = split.ordinal();
      int length = example.ids().length;
      cut += example.cut() ? 1 : 0;
      try {
        write(streams[side], example, name);
        documents.write(
            ("{\"name\": "
                    + Json.ascii(name)
                    + ", \"split\": \""
                    + split.word()
                    + "\", \"text_bytes\": "
                    + utf8.length
                    + ", \"tokens\": "
                    + (chat == null ? length - 1 : length)
                    + "}\n")
                .getBytes(StandardCharsets.US_ASCII));
      } catch (IOException e) {
        throw unwritten(e);
      }
      tokens[side] += length;
      kept[side]++;
      textBytes[side] += utf8.length;
      if (chat != null) {
        lengths[side].add(length);
      }
    }

    private void write(OutputStream out, Example example, String name) throws IOException {
      for (int id : example.ids()) {
        if (id < 0 || id >= encoder.vocabularySize()) {
          throw new DataException(
              name + ": expected token ids in [0, " + encoder.vocabularySize() + "), found " + id);
        }
        for (int k = 0; k < tokenBytes; k++) {
          out.write(id >>> (8 * k));
        }
      }
      if (example.flags() != null) {
        out.write(example.flags());
      }
    }
  }
}
