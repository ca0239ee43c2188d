package dev.kindling.worker.data;

import dev.kindling.worker.jinja.Template;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Documents of {@link ChatLine} to tokens with flags. A token counts if it begins inside an answer;
 * what follows the last token that counts teaches nothing and is left out.
 */
final class ChatEncoder implements DocumentEncoder {
  private final ChatFormat format;
  private final @Nullable ChatRenderer renderer;
  private final Tokenizer tokenizer;

  ChatEncoder(ChatFormat format, Tokenizer tokenizer) {
    this.format = format;
    this.renderer = format.template() == null ? null : new ChatRenderer(format.template());
    this.tokenizer = tokenizer;
  }

  @Override
  public int vocabularySize() {
    return tokenizer.vocabularySize();
  }

  @Override
  public Optional<Example> encode(byte[] utf8) {
    Json.Obj line = JsonReader.read(utf8, "example", JsonReader.Limits.FOREIGN).asObject("example");
    boolean pair = line.find(ChatLine.PROMPT).isPresent();
    Transcript transcript = pair ? pair(line) : conversation(line);
    Tokenizer.Tokens tokens = tokenizer.tokens(transcript.text());
    int length = tokens.ids().length + (pair ? 1 : 0);
    int[] ids = Arrays.copyOf(tokens.ids(), length);
    byte[] flags = new byte[length];
    for (int k = 0; k < tokens.ids().length; k++) {
      flags[k] = (byte) (transcript.counts(tokens.starts()[k]) ? ExampleFlags.COUNTS : 0);
    }
    if (pair) {
      ids[length - 1] = tokenizer.separator();
      flags[length - 1] = ExampleFlags.COUNTS;
    }
    return flagged(ids, flags);
  }

  private Optional<Example> flagged(int[] ids, byte[] flags) {
    if (ids.length > 0) {
      // Nothing stands before the first token that could predict it.
      flags[0] = ExampleFlags.BEGINS;
    }
    int kept = ended(flags, ids.length);
    if (kept == 0) {
      throw new BadLine("expected an answer of at least one token, found none");
    }
    if (kept <= format.longest()) {
      return Optional.of(new Example(Arrays.copyOf(ids, kept), Arrays.copyOf(flags, kept), false));
    }
    int cut = format.tooLong() == TooLong.CUT ? ended(flags, format.longest()) : 0;
    return cut == 0
        ? Optional.empty()
        : Optional.of(new Example(Arrays.copyOf(ids, cut), Arrays.copyOf(flags, cut), true));
  }

  /** Tokens up to the last of the first {@code most} that counts; 0 if none does. */
  private static int ended(byte[] flags, int most) {
    int kept = most;
    while (kept > 0 && !ExampleFlags.counts(flags[kept - 1])) {
      kept--;
    }
    return kept;
  }

  private static Transcript pair(Json.Obj line) {
    String prompt = line.text(ChatLine.PROMPT);
    String text = prompt + line.text(ChatLine.COMPLETION);
    return new Transcript(text, List.of(new Template.Span(prompt.length(), text.length())));
  }

  private Transcript conversation(Json.Obj line) {
    if (renderer == null) {
      throw new BadLine(
          "expected a chat template for \"messages\", found none beside the tokenizer"
              + " (chat_template.jinja, tokenizer_config.json); set data.template");
    }
    List<ChatRenderer.Message> messages = new ArrayList<>();
    for (Json item : line.list(ChatLine.MESSAGES)) {
      Json.Obj message = item.asObject("message");
      messages.add(
          new ChatRenderer.Message(message.text(ChatLine.ROLE), message.text(ChatLine.CONTENT)));
    }
    return renderer.transcript(messages);
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
