package dev.kindling.worker.event;

/** The phases of one attempt, in order of first appearance. */
public enum Phase {
  RENDEZVOUS,
  COMPILE,
  DRY_RUN,
  RESTORE,
  TRAIN,
  VALIDATE,
  CHECKPOINT,
  SAMPLE,
  DONE
}
