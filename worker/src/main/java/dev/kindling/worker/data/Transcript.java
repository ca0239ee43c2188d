package dev.kindling.worker.data;

import dev.kindling.worker.jinja.Template;
import java.util.List;

/**
 * The text of an example and which of it counts.
 *
 * @param answers characters that the assistant writes, in order, with the mark that ends each
 */
record Transcript(String text, List<Template.Span> answers) {
  Transcript {
    answers = List.copyOf(answers);
  }

  boolean counts(int character) {
    for (Template.Span answer : answers) {
      if (character >= answer.start() && character < answer.end()) {
        return true;
      }
    }
    return false;
  }
}
