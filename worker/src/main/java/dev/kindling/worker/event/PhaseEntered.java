package dev.kindling.worker.event;

/**
 * The rank entered a phase of its life. Used to say where each rank stood when a run hangs or dies.
 *
 * @param step the step that is current or next; 0 before the first
 * @param detail one line for people, may be empty
 */
public record PhaseEntered(int rank, Phase phase, long step, String detail)
    implements WorkerEvent {}
