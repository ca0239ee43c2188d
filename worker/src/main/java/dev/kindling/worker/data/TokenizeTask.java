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

/**
 * Second pass: the tokens of a group, a separator after each document, one file a split. Positions
 * in the whole stream are only known when all groups are done, so packing is a third pass.
 *
 * @param line documents placed below it are held out, where the group fixes no split
 * @param folder shared by all tasks
 */
record TokenizeTask(TokenizerSpec tokenizer, int tokenBytes, long line, String folder)
    implements WorkPool.Task<TokenizeTask.Input, TokenizeTask.Counts> {
  /**
   * @param dropped documents of the group, by number, that lie in an earlier one too
   */
  record Input(Group group, BitSet dropped) implements Serializable {}

  /** Per split, in the order of {@link SplitName}. */
  record Counts(long[] tokens, long[] documents, long[] textBytes) implements Serializable {}

  @Override
  public Counts run(Input input) {
    int index = input.group.index();
    try (Tokenizer open = Tokenizer.open(tokenizer);
        OutputStream train = create(file(folder, SplitName.TRAIN, index));
        OutputStream validation = create(file(folder, SplitName.VALIDATION, index));
        OutputStream documents = create(documents(folder, index))) {
      Writer writer = new Writer(input, open, new OutputStream[] {train, validation}, documents);
      input.group.read(writer::document);
      return writer.counts;
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

  private static OutputStream create(Path file) throws IOException {
    return new BufferedOutputStream(Files.newOutputStream(file), 1 << 18);
  }

  /** Writes the documents of one group as they come. */
  private final class Writer {
    private final Input input;
    private final Tokenizer open;
    private final OutputStream[] streams;
    private final OutputStream documents;
    private final Counts counts = new Counts(new long[2], new long[2], new long[2]);
    private int number;

    Writer(Input input, Tokenizer open, OutputStream[] streams, OutputStream documents) {
      this.input = input;
      this.open = open;
      this.streams = streams;
      this.documents = documents;
    }

    void document(String name, byte[] utf8) {
      if (input.dropped.get(number++)) {
        return;
      }
      byte[] hash = Sha256.fresh().digest(utf8);
      SplitName fixed = input.group.fixed();
      SplitName split =
          fixed != null
              ? fixed
              : ScanTask.place(hash) < line ? SplitName.VALIDATION : SplitName.TRAIN;
      int[] ids = open.encode(utf8);
      int side = split.ordinal();
      try {
        for (int id : ids) {
          put(streams[side], id, name);
        }
        put(streams[side], open.separator(), name);
        documents.write(
            ("{\"name\": "
                    + Json.ascii(name)
                    + ", \"split\": \""
                    + split.word()
                    + "\", \"text_bytes\": "
                    + utf8.length
                    + ", \"tokens\": "
                    + ids.length
                    + "}\n")
                .getBytes(StandardCharsets.US_ASCII));
      } catch (IOException e) {
        throw new DataException(folder + ": cannot be written: " + e, e);
      }
      counts.tokens[side] += ids.length + 1L;
      counts.documents[side]++;
      counts.textBytes[side] += utf8.length;
    }

    private void put(OutputStream out, int id, String name) throws IOException {
      if (id < 0 || id >= open.vocabularySize()) {
        throw new DataException(
            name + ": expected token ids in [0, " + open.vocabularySize() + "), found " + id);
      }
      for (int k = 0; k < tokenBytes; k++) {
        out.write(id >>> (8 * k));
      }
    }
  }
}
