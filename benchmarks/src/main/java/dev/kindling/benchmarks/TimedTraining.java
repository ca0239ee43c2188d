package dev.kindling.benchmarks;

/** A training step that can be repeated: forward, backward, clip, AdamW on one fixed batch. */
interface TimedTraining extends AutoCloseable {
  /** Returns the loss of the batch before the update. */
  float step();

  /** Number of trained elements. */
  long parameters();

  @Override
  void close();
}
