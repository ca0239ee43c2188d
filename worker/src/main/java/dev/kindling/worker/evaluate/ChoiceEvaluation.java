package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.store.JsonException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * Questions with given answers: a choice scores the log-probability of its tokens given the prompt,
 * as a sum and as the mean of a token. Of equal scores the first choice is taken. Prompt and choice
 * are encoded apart, so a choice begins with a token of its own: a space between them belongs to
 * the choice. An empty prompt is a document separator.
 */
public final class ChoiceEvaluation {
  private final Scorer scorer;
  private final Tokenizer tokenizer;
  private final Consumer<ChoiceScore> progress;
  private ChoiceScore score = new ChoiceScore(0, 0, 0, 0);

  /**
   * @param progress hears the score after each question
   */
  public ChoiceEvaluation(Scorer scorer, Tokenizer tokenizer, Consumer<ChoiceScore> progress) {
    this.scorer = scorer;
    this.tokenizer = tokenizer;
    this.progress = progress;
  }

  /**
   * @param file JSON lines, each {@code {"prompt": TEXT, "choices": [TEXT, ...], "answer": INDEX or
   *     TEXT}}
   * @param notices hears of each line that is skipped
   * @throws DataException naming file and line of a bad one, or if there is no question
   */
  public ChoiceScore of(Path file, BadLines badLines, Consumer<String> notices) {
    score = new ChoiceScore(0, 0, 0, 0);
    long skipped =
        JsonLines.read(
            file,
            badLines,
            notices,
            object -> {
              Question question = Question.of(object);
              try {
                answer(question);
              } catch (DataException tooLong) {
                throw new JsonException(
                    file.toString(), object.place().offset(), String.valueOf(tooLong.getMessage()));
              }
            });
    if (score.questions() == 0) {
      throw new DataException(file + ": expected at least one question, found none");
    }
    return new ChoiceScore(score.questions(), score.rightByMean(), score.rightBySum(), skipped);
  }

  private void answer(Question question) {
    int[] encoded = tokenizer.encode(question.prompt().getBytes(StandardCharsets.UTF_8));
    int[] prompt = encoded.length == 0 ? new int[] {tokenizer.separator()} : encoded;
    double[] sums = new double[question.choices().size()];
    double[] means = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      byte[] choice = question.choices().get(i).getBytes(StandardCharsets.UTF_8);
      Loss loss = scorer.continuation(prompt, tokenizer.encode(choice));
      sums[i] = -loss.nats();
      means[i] = -loss.mean();
    }
    score =
        new ChoiceScore(
            score.questions() + 1,
            score.rightByMean() + (largest(means) == question.answer() ? 1 : 0),
            score.rightBySum() + (largest(sums) == question.answer() ? 1 : 0),
            0);
    progress.accept(score);
  }

  private static int largest(double[] scores) {
    int largest = 0;
    for (int i = 1; i < scores.length; i++) {
      largest = scores[i] > scores[largest] ? i : largest;
    }
    return largest;
  }
}
