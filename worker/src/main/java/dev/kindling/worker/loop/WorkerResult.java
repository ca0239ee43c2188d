package dev.kindling.worker.loop;

import java.io.Serializable;

/**
 * How one rank's part of an attempt ended; small, because results travel through the driver's heap.
 *
 * @param lastStep last completed step
 * @param stopped true if it ended by request before the planned number of steps
 * @param commit name of the last committed generation, empty if none
 */
public record WorkerResult(int rank, long lastStep, boolean stopped, String commit)
    implements Serializable {}
