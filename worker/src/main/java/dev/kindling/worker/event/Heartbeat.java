package dev.kindling.worker.event;

/**
 * The process of a rank is alive, whether or not its step moves. Without it a rank that waits for
 * its peers could not be told from one that is stopped.
 *
 * @param step done last; in phases without steps, the step at which the phase began
 * @param moves counts what the rank got done: phases, steps, micro-batches. One that stands still
 *     makes no progress
 */
public record Heartbeat(int rank, Phase phase, long step, long moves) implements WorkerEvent {}
