package dev.kindling.worker.loop;

/** What the driver wishes from the workers at the next step boundary. */
public enum StopRequest {
  NONE,
  CHECKPOINT_AND_STOP
}
