package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import java.io.Serializable;

/** What a line of JSON holds for training. */
sealed interface LineContent extends Serializable permits TextMember, ChatLine {
  /**
   * The document of a line: UTF-8, not empty, no NUL.
   *
   * @throws BadLine saying what was expected and what was found
   */
  byte[] document(Json line);

  /** Refuses NUL, which separates documents where bytes are tokens. */
  static void refuseNul(String text) {
    if (text.indexOf('\0') >= 0) {
      throw new BadLine("expected text, found NUL in it");
    }
  }
}
