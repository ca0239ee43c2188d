/**
 * Makes smaller models: single weights set to zero, or heads and channels taken out.
 *
 * <p>Read first: {@link dev.kindling.worker.prune.Pruning} (which weights become zero), {@link
 * dev.kindling.worker.prune.Kept} (which heads and channels stay), {@link
 * dev.kindling.worker.prune.Recovery} (the way back of what was trained on them). Must not depend
 * on plans, steps or runs.
 */
@NullMarked
package dev.kindling.worker.prune;

import org.jspecify.annotations.NullMarked;
