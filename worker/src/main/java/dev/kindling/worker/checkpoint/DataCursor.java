package dev.kindling.worker.checkpoint;

/**
 * Where in the data a run stands. Sample order is a pure function of (seed, epoch, index), so this
 * is all there is.
 *
 * @param epoch passes over the data that are complete
 * @param sample global index of the next sample in the current pass
 * @param dataset fingerprint of the prepared set (content hash of inputs, tokenizer, settings)
 */
public record DataCursor(long epoch, long sample, String dataset) {
  public DataCursor {
    if (epoch < 0 || sample < 0) {
      throw new IllegalArgumentException(
          "cursor: expected epoch and sample >= 0, found " + epoch + ", " + sample);
    }
  }
}
