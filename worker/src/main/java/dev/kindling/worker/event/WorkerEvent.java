package dev.kindling.worker.event;

/**
 * A fact about one rank of a running attempt. Never carries training data except {@link Sample}.
 */
public sealed interface WorkerEvent
    permits PhaseEntered,
        Heartbeat,
        StepDone,
        RoundDone,
        StepRecalled,
        Validated,
        CheckpointSaved,
        Sample,
        LogLine,
        LoggedLines {
  /** Index of the worker that speaks, 0-based. */
  int rank();
}
