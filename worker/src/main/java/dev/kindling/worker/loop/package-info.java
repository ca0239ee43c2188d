/**
 * What a rank does from rendezvous to the last checkpoint.
 *
 * <p>Read first: {@link dev.kindling.worker.loop.WorkerTask} (the story), {@link
 * dev.kindling.worker.loop.TrainLoop} (one screen), {@link
 * dev.kindling.worker.loop.WorkerAssignment}, {@link dev.kindling.worker.loop.StopSignal}. Knows
 * nothing of Spark: launchers hand in a rendezvous, an event sink and a stop signal.
 */
@NullMarked
package dev.kindling.worker.loop;

import org.jspecify.annotations.NullMarked;
