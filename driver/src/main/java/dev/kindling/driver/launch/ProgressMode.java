package dev.kindling.driver.launch;

/** How progress is shown. */
public enum ProgressMode {
  /** One live line on a terminal, plain lines elsewhere. */
  AUTO,
  /** One line per logged step. */
  PLAIN,
  /** Nothing but failures and the final sample. */
  OFF
}
