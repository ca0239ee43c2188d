/**
 * Model directories of Hugging Face: what they say, how their weights get into a run, and what of
 * them a run keeps. A directory is read as strictly as a checkpoint and believed as little: shapes,
 * types, file names and every number are checked, and weights pass in pieces of a few MiB.
 *
 * <p>Read first: {@link dev.kindling.worker.pretrained.ModelDirectory}, {@link
 * dev.kindling.worker.pretrained.PretrainedWeights}, {@link
 * dev.kindling.worker.pretrained.PretrainedPlan}, {@link
 * dev.kindling.worker.pretrained.CompanionFiles}.
 *
 * <p>Must not depend on a launcher, on the loop or on the network, and knows no model family.
 */
@NullMarked
package dev.kindling.worker.pretrained;

import org.jspecify.annotations.NullMarked;
