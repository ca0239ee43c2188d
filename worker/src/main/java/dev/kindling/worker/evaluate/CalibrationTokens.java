package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** The first tokens of texts, each document behind a separator. */
public final class CalibrationTokens {
  /** Ends reading. */
  private static final class Enough extends RuntimeException {
    private static final long serialVersionUID = 1;

    Enough() {
      super("", null, false, false);
    }
  }

  private final Tokenizer tokenizer;
  private final int[] tokens;
  private int count;

  private CalibrationTokens(Tokenizer tokenizer, int most) {
    this.tokenizer = tokenizer;
    this.tokens = new int[most];
  }

  /**
   * @param data a text file (one document) or a file of JSON lines ({@code .jsonl}: one a line)
   * @param field member of each line that holds the text
   * @param most tokens to read
   * @throws DataException if it is neither, or a line is malformed
   */
  public static int[] of(Path data, String field, Tokenizer tokenizer, int most) {
    CalibrationTokens stream = new CalibrationTokens(tokenizer, most);
    try {
      if (data.toString().toLowerCase(Locale.ROOT).endsWith(".jsonl")) {
        InputLines.read(
            data,
            BadLines.FAIL,
            line -> {},
            object ->
                stream.add(
                    InputLines.text(object.get(field), field).getBytes(StandardCharsets.UTF_8)));
      } else {
        stream.add(TextEvaluation.text(data));
      }
    } catch (Enough full) {
      return stream.tokens;
    }
    return Arrays.copyOf(stream.tokens, stream.count);
  }

  private void add(byte[] utf8) {
    put(tokenizer.separator());
    for (int id : tokenizer.encode(utf8)) {
      put(id);
    }
  }

  private void put(int id) {
    if (count == tokens.length) {
      throw new Enough();
    }
    tokens[count++] = id;
  }
}
