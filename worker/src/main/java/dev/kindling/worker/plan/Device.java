package dev.kindling.worker.plan;

/** The kind of device that holds a rank's arenas. */
public enum Device {
  CPU
}
