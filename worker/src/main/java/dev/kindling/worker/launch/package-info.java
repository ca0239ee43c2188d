/**
 * Starts the ranks of one attempt without Spark: threads of this JVM, or plain processes.
 *
 * <p>Read first: {@link dev.kindling.worker.launch.Launcher}, {@link
 * dev.kindling.worker.launch.AttemptFailedException}. The Spark launcher lives in the driver and
 * keeps the same contract. Must not know the command line or the attempt budget.
 */
@NullMarked
package dev.kindling.worker.launch;

import org.jspecify.annotations.NullMarked;
