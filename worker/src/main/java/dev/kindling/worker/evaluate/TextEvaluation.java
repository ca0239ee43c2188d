package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.ExampleFlags;
import dev.kindling.worker.data.Manifest;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.IntPredicate;

/**
 * Loss over texts; every token counts once. A document is read behind a document separator, which
 * itself does not count, in windows of the context without overlap: token i is predicted from the
 * tokens of its window before it, the first of a window from the one before alone. Long documents
 * therefore cost a little more than a sliding window would say, and one pass a token less.
 *
 * <p>A prepared set is read as training reads it, record by record of its held-out side, or of the
 * other one where nothing is held out: separators count, what follows one does not where documents
 * are masked, of examples only the answers do, and its bytes are those that its tokens have in the
 * mean of the side.
 */
public final class TextEvaluation {
  private static final long TEXT_BYTES_MAX = 1L << 30;
  private static final int DECODED_CHARACTERS = 1 << 13;

  private final Scorer scorer;
  private final Tokenizer tokenizer;
  private final Consumer<Loss> progress;
  private Loss loss = Loss.NONE;
  private long bytes;

  /**
   * @param progress hears the loss so far, often
   */
  public TextEvaluation(Scorer scorer, Tokenizer tokenizer, Consumer<Loss> progress) {
    this.scorer = scorer;
    this.tokenizer = tokenizer;
    this.progress = progress;
  }

  /**
   * Of a prepared set (a folder), a file of JSON lines ({@code .jsonl}: one document a line) or a
   * text file (one document).
   *
   * @param field member of each line that holds the text
   * @param notices hears of each line that is skipped
   * @throws DataException if it is none of these, or holds no token to predict
   */
  public TextLoss of(Path data, String field, BadLines badLines, Consumer<String> notices) {
    loss = Loss.NONE;
    bytes = 0;
    long skipped = 0;
    if (Files.isDirectory(data)) {
      prepared(TokenShards.open(data));
    } else if (data.toString().toLowerCase(Locale.ROOT).endsWith(".jsonl")) {
      skipped =
          InputLines.read(
              data,
              badLines,
              notices,
              object -> {
                String text = InputLines.text(object.get(field), field);
                document(text.getBytes(StandardCharsets.UTF_8));
              });
    } else {
      document(text(data));
    }
    if (loss.tokens() == 0) {
      throw new DataException(data + ": expected text, found no token to predict");
    }
    return new TextLoss(loss, bytes, skipped);
  }

  static byte[] text(Path file) {
    byte[] text;
    try {
      if (Files.size(file) > TEXT_BYTES_MAX) {
        throw new DataException(
            file + ": expected a text of at most 1 GiB, found " + Files.size(file) + " bytes");
      }
      text = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    }
    check(text, file);
    return text;
  }

  /** As training does: UTF-8 without NUL, which is a document separator where tokens are bytes. */
  private static void check(byte[] text, Path file) {
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    ByteBuffer in = ByteBuffer.wrap(text);
    CharBuffer out = CharBuffer.allocate(DECODED_CHARACTERS);
    CoderResult result = decoder.decode(in, out, true);
    while (result.isOverflow()) {
      out.clear();
      result = decoder.decode(in, out, true);
    }
    if (result.isError()) {
      throw new DataException(file + ": byte " + in.position() + ": expected UTF-8 text");
    }
    for (int i = 0; i < text.length; i++) {
      if (text[i] == 0) {
        throw new DataException(
            file + ": byte " + i + ": expected text, found NUL (a binary file?)");
      }
    }
  }

  private void document(byte[] utf8) {
    int[] ids = tokenizer.encode(utf8);
    int[] stream = new int[ids.length + 1];
    stream[0] = tokenizer.separator();
    System.arraycopy(ids, 0, stream, 1, ids.length);
    stream(stream, place -> true);
    bytes += utf8.length;
  }

  private void stream(int[] stream, IntPredicate counts) {
    for (int at = 0; at + 1 < stream.length; at += scorer.context()) {
      loss = loss.plus(scorer.window(stream, at, counts));
      progress.accept(loss);
    }
  }

  private void prepared(TokenShards shards) {
    Manifest manifest = shards.manifest();
    if (!manifest.tokenizerHash().equals(tokenizer.hash())) {
      throw new DataException(
          shards.folder()
              + ": expected a set made with the tokenizer of the model, "
              + tokenizer.hash()
              + ", found one made with "
              + manifest.tokenizerHash());
    }
    boolean held = shards.part(SplitName.VALIDATION).sequences() > 0;
    SplitName side = held ? SplitName.VALIDATION : SplitName.TRAIN;
    int[] record = new int[manifest.sequenceLength() + 1];
    byte[] flags = new byte[record.length];
    try (SequenceReader reader = SequenceReader.open(shards, side)) {
      for (long sequence = 0; sequence < reader.sequences(); sequence++) {
        if (manifest.examples()) {
          reader.read(sequence, record, flags);
          examples(record, flags);
        } else {
          reader.read(sequence, record);
          documents(record, manifest);
        }
      }
    }
    Manifest.Part part = shards.part(side);
    bytes = Math.round(loss.tokens() * ((double) part.textBytes() / part.tokens()));
  }

  /** Examples do not see each other, and only their answers count. */
  private void examples(int[] record, byte[] flags) {
    int from = 0;
    for (int k = 1; k <= record.length; k++) {
      if (k == record.length || ExampleFlags.begins(flags[k])) {
        int first = from;
        stream(
            Arrays.copyOfRange(record, from, k),
            place -> ExampleFlags.counts(flags[first + place]));
        from = k;
      }
    }
  }

  private void documents(int[] record, Manifest manifest) {
    int from = 0;
    for (int k = 0; manifest.maskDocuments() && k < record.length; k++) {
      if (record[k] == manifest.separator()) {
        stream(Arrays.copyOfRange(record, from, k + 1), place -> true);
        from = k + 1;
      }
    }
    if (from < record.length) {
      stream(Arrays.copyOfRange(record, from, record.length), place -> true);
    }
  }
}
