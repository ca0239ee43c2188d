/**
 * Checkpoints that can be trusted: immutable parts, one small commit object, everything hashed,
 * nothing believed when read.
 *
 * <p>Layout under the checkpoint root (design note "reliability", section 4): {@code epochs/}
 * fences writers, {@code data/} holds the parts of generations (weights as plain Hugging Face
 * safetensors), {@code commits/} holds the commits that make a generation exist, {@code revoked/}
 * takes them back, {@code hint/latest} is for people only.
 *
 * <p>Read first: {@link dev.kindling.worker.checkpoint.CheckpointStore}, {@link
 * dev.kindling.worker.checkpoint.Manifest}, {@link dev.kindling.worker.checkpoint.PartDescriptor},
 * {@link dev.kindling.worker.checkpoint.TrainState}, {@link
 * dev.kindling.worker.checkpoint.SafetensorsHeader}.
 *
 * <p>Must not depend on Spark, Hadoop, or on the loop that calls it.
 */
@NullMarked
package dev.kindling.worker.checkpoint;

import org.jspecify.annotations.NullMarked;
