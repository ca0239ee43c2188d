package dev.kindling.worker.event;

/**
 * A generation was committed, or failed to be.
 *
 * @param name of the commit, empty when it failed
 * @param failure reason, empty when it was committed
 */
public record CheckpointSaved(
    int rank, long step, String name, long bytes, double millis, String failure)
    implements WorkerEvent {}
