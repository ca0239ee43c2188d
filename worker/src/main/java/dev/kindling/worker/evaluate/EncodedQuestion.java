package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A question in tokens. Prompt and choice are encoded apart, so a choice begins with a token of its
 * own; an empty prompt is a document separator.
 *
 * @param choices each behind the prompt
 * @param answer index of the right one
 */
public record EncodedQuestion(List<Continuation> choices, int answer) {
  public EncodedQuestion {
    choices = List.copyOf(choices);
  }

  /**
   * Reads a whole file of questions.
   *
   * @param context tokens that the model sees at once
   * @throws DataException naming file and line of a bad one, or if there is no question
   */
  public static List<EncodedQuestion> read(
      InputFolder folder, String name, Tokenizer tokenizer, int context) {
    List<EncodedQuestion> questions = new ArrayList<>();
    InputLines.read(
        folder,
        name,
        BadLines.FAIL,
        notice -> {},
        line -> questions.add(of(line, tokenizer, context)));
    if (questions.isEmpty()) {
      throw none(folder.shown(name));
    }
    return questions;
  }

  static DataException none(String file) {
    return new DataException(file + ": expected at least one question, found none");
  }

  /**
   * @throws JsonException if the line is no question, or a choice has no token or too many
   */
  static EncodedQuestion of(Json.Obj line, Tokenizer tokenizer, int context) {
    Question question = Question.of(line);
    int[] encoded = encode(question.prompt(), tokenizer);
    int[] prompt = encoded.length == 0 ? new int[] {tokenizer.separator()} : encoded;
    List<Continuation> choices = new ArrayList<>();
    for (String choice : question.choices()) {
      try {
        choices.add(Continuation.of(prompt, encode(choice, tokenizer), context));
      } catch (DataException tooLong) {
        throw new JsonException(
            line.place().file(), line.place().offset(), String.valueOf(tooLong.getMessage()));
      }
    }
    return new EncodedQuestion(choices, question.answer());
  }

  private static int[] encode(String text, Tokenizer tokenizer) {
    return tokenizer.encode(text.getBytes(StandardCharsets.UTF_8));
  }

  /** The right choice behind the prompt. */
  public Continuation right() {
    return choices.get(answer);
  }

  /**
   * Whether the right choice has the largest score; of equal ones the first is taken.
   *
   * @param scores of the choices, in their order
   */
  public boolean answeredBy(double[] scores) {
    int largest = 0;
    for (int i = 1; i < scores.length; i++) {
      largest = scores[i] > scores[largest] ? i : largest;
    }
    return largest == answer;
  }
}
