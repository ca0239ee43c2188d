/**
 * What a rank does from rendezvous to the last checkpoint.
 *
 * <p>Read first: {@link dev.kindling.worker.loop.WorkerAssignment}, {@link
 * dev.kindling.worker.loop.RankContext} (what a launcher hands in), {@link
 * dev.kindling.worker.loop.WorkerTask}, {@code TrainLoop} (the story), {@code Checkpointing}.
 *
 * <p>Must not depend on Spark, on a launcher or on the command line.
 */
@NullMarked
package dev.kindling.worker.loop;

import org.jspecify.annotations.NullMarked;
