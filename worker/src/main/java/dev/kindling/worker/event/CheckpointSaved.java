package dev.kindling.worker.event;

/**
 * A generation was committed, or failed to be.
 *
 * @param name of the commit, empty when it failed
 * @param millis from the pause of the steps to the commit
 * @param stallMillis of these, how long the steps stood still
 * @param failure reason, empty when it was committed
 */
public record CheckpointSaved(
    int rank, long step, String name, long bytes, double millis, double stallMillis, String failure)
    implements WorkerEvent {}
