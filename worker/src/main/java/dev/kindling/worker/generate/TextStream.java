package dev.kindling.worker.generate;

import dev.kindling.worker.data.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Tokens to text as they come. A token may hold half a character: text that ends in U+FFFD, which
 * stands for the bytes so far, waits for the next token or the end. The pieces together are what
 * the tokenizer makes of all tokens at once.
 */
final class TextStream {
  /** Tokens that are decoded again with each new one, at least while a character is open. */
  private static final int HELD_MAX = 16;

  private final Tokenizer tokenizer;
  private final Consumer<String> pieces;
  private final List<Integer> held = new ArrayList<>();
  private int shown;

  TextStream(Tokenizer tokenizer, Consumer<String> pieces) {
    this.tokenizer = tokenizer;
    this.pieces = pieces;
  }

  void token(int id) {
    held.add(id);
    String text = text();
    boolean open = text.endsWith("\uFFFD");
    show(text, open ? text.length() - 1 : text.length());
    if (!open && held.size() >= HELD_MAX) {
      // The newest stays in front of what follows: some tokenizers drop a space at the start.
      held.subList(0, held.size() - 1).clear();
      shown = text().length();
    }
  }

  /** No more tokens: what waited is shown as it is. */
  void end() {
    String text = text();
    show(text, text.length());
    held.clear();
    shown = 0;
  }

  private String text() {
    return tokenizer.decode(held.stream().mapToInt(Integer::intValue).toArray());
  }

  private void show(String text, int to) {
    if (to > shown) {
      pieces.accept(printable(text.substring(shown, to)));
      shown = to;
    }
  }

  /** Control characters other than line breaks and tabs would command the terminal. */
  static String printable(String text) {
    StringBuilder clean = new StringBuilder(text.length());
    text.codePoints()
        .map(c -> Character.isISOControl(c) && c != '\n' && c != '\t' && c != '\r' ? 0xFFFD : c)
        .forEach(clean::appendCodePoint);
    return clean.toString();
  }
}
