package dev.kindling.worker.evaluate;

/**
 * What texts cost a model.
 *
 * @param bytes of the texts in UTF-8
 * @param skipped lines that were left out
 */
public record TextLoss(Loss loss, long bytes, long skipped) {
  /** exp of the mean loss. */
  public double perplexity() {
    return Math.exp(loss.mean());
  }

  /** Comparable between tokenizers. */
  public double bitsPerByte() {
    return loss.nats() / Math.log(2) / bytes;
  }
}
