/**
 * What a rank does from rendezvous to the last checkpoint.
 *
 * <p>Read first: {@link dev.kindling.worker.loop.WorkerAssignment}, {@link
 * dev.kindling.worker.loop.StopSignal}, {@link dev.kindling.worker.loop.WorkerResult}. Knows
 * nothing of Spark: launchers hand in a rendezvous, an event sink and a stop signal.
 */
@NullMarked
package dev.kindling.worker.loop;

import org.jspecify.annotations.NullMarked;
