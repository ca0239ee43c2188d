package dev.kindling.worker.evaluate;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import java.util.ArrayList;
import java.util.List;

/**
 * One question with given answers: {@code {"prompt": TEXT, "choices": [TEXT, ...], "answer": INDEX
 * or TEXT}}.
 *
 * @param prompt may be empty
 * @param choices at least two, different, none empty
 * @param answer index of the right one
 */
record Question(String prompt, List<String> choices, int answer) {
  Question {
    choices = List.copyOf(choices);
  }

  /**
   * @throws JsonException if a member is missing or wrong; others are not looked at
   */
  static Question of(Json.Obj line) {
    List<String> choices = new ArrayList<>();
    for (Json choice : line.list("choices")) {
      String text = InputLines.text(choice, "choices");
      if (choices.contains(text)) {
        throw wrong(
            choice, "choices: expected different texts, found " + choice.write() + " twice");
      }
      choices.add(text);
    }
    if (choices.size() < 2) {
      throw wrong(
          line.get("choices"), "choices: expected at least 2 texts, found " + choices.size());
    }
    return new Question(line.text("prompt"), choices, answer(line.get("answer"), choices));
  }

  private static int answer(Json answer, List<String> choices) {
    if (!(answer instanceof Json.Text text)) {
      return (int) answer.asInteger("answer", 0, choices.size() - 1);
    }
    int index = choices.indexOf(text.value());
    if (index < 0) {
      throw wrong(answer, "answer: expected one of the choices, found " + answer.write());
    }
    return index;
  }

  private static JsonException wrong(Json where, String message) {
    return new JsonException(where.place().file(), where.place().offset(), message);
  }
}
