/**
 * From text to the tokens of a step: tokenizers, packing into token shards, the order of samples,
 * and the reader that fills micro batches ahead of the step.
 *
 * <p>Read first: {@link dev.kindling.worker.data.DataSpec}, {@link
 * dev.kindling.worker.data.Preparation}, {@link dev.kindling.worker.data.TokenShards}, {@link
 * dev.kindling.worker.data.SampleOrder}, {@link dev.kindling.worker.data.BatchReader}. Fine-tuning:
 * {@link dev.kindling.worker.data.Chat}, {@link dev.kindling.worker.data.ChatEncoder}, {@link
 * dev.kindling.worker.data.ExamplePacking}.
 *
 * <p>Legend: {@code L} sequence length, {@code N} sequences of a split, {@code B} sequences of a
 * global batch, {@code W} world size.
 *
 * <p>Must not depend on Spark or Hadoop: the Spark job in {@code driver.data} only supplies a
 * {@link dev.kindling.worker.data.WorkPool}; what it computes is computed here.
 */
@NullMarked
package dev.kindling.worker.data;

import org.jspecify.annotations.NullMarked;
