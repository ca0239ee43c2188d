package dev.kindling.worker.data;

import java.io.Serializable;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How examples become tokens.
 *
 * @param template null: only pairs of prompt and completion can be used
 * @param longest tokens of the longest example that is kept whole
 */
record ChatFormat(@Nullable ChatTemplate template, TooLong tooLong, int longest)
    implements Serializable {
  /** Goes up when the same lines, template and tokenizer give other tokens. */
  private static final String RULES = "chat rules 1";

  static ChatFormat of(Chat chat, TokenizerSpec tokenizer, int sequenceLength) {
    Optional<ChatTemplate> template = ChatTemplate.of(chat.template(), tokenizer);
    // Parsed here as well, so that a template that is not understood ends no task but this call.
    template.ifPresent(ChatRenderer::new);
    return new ChatFormat(template.orElse(null), chat.tooLong(), sequenceLength + 1);
  }

  /** Adds all that decides the tokens. */
  void addTo(Sha256 fingerprint) {
    fingerprint.add(RULES).add("too_long " + tooLong);
    if (template != null) {
      fingerprint.add(template.source());
      for (Map.Entry<String, String> token : template.specialTokens().entrySet()) {
        fingerprint.add(token.getKey()).add(token.getValue());
      }
    }
  }
}
