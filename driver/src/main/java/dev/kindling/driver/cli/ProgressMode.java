package dev.kindling.driver.cli;

/** How a run shows that it is alive. */
public enum ProgressMode {
  /** One live line on a terminal, plain lines elsewhere. */
  AUTO,
  PLAIN,
  /** Plain lines, and no sample of text at the end. */
  STEPS,
  OFF
}
