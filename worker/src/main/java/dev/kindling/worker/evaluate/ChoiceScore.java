package dev.kindling.worker.evaluate;

/**
 * How many questions a model answers.
 *
 * @param rightByMean questions whose right choice has the largest mean log-probability of a token
 * @param rightBySum questions whose right choice has the largest log-probability
 * @param skipped lines that were left out
 */
public record ChoiceScore(long questions, long rightByMean, long rightBySum, long skipped) {
  /** The figure that decides: choices may differ in length. */
  public double accuracyByMean() {
    return (double) rightByMean / questions;
  }

  public double accuracyBySum() {
    return (double) rightBySum / questions;
  }
}
