package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Tokenizer;
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
        InputLines.read(
            file,
            badLines,
            notices,
            line -> answer(EncodedQuestion.of(line, tokenizer, scorer.context())));
    if (score.questions() == 0) {
      throw EncodedQuestion.none(file.toString());
    }
    return new ChoiceScore(score.questions(), score.rightByMean(), score.rightBySum(), skipped);
  }

  private void answer(EncodedQuestion question) {
    double[] sums = new double[question.choices().size()];
    double[] means = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      Loss loss = scorer.continuation(question.choices().get(i));
      sums[i] = -loss.nats();
      means[i] = -loss.mean();
    }
    score =
        new ChoiceScore(
            score.questions() + 1,
            score.rightByMean() + (question.answeredBy(means) ? 1 : 0),
            score.rightBySum() + (question.answeredBy(sums) ? 1 : 0),
            0);
    progress.accept(score);
  }
}
