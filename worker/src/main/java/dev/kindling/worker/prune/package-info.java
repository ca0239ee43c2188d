/**
 * Makes smaller models of model directories: single weights set to zero, or heads and channels taken
 * out.
 *
 * <p>Read first: {@link dev.kindling.worker.prune.Pruning} (which weights become zero), {@link
 * dev.kindling.worker.prune.InputNorms} (what calibration texts say about them), {@link
 * dev.kindling.worker.prune.Kept} (which heads and channels stay). Must not depend on plans, steps
 * or checkpoints of runs.
 */
@NullMarked
package dev.kindling.worker.prune;

import org.jspecify.annotations.NullMarked;
