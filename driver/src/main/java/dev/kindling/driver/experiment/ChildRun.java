package dev.kindling.driver.experiment;

import dev.kindling.driver.Main;
import java.io.IOException;

/**
 * A run of an experiment as a process. Its standard input is a pipe that nobody writes to: when it
 * ends, the parent is gone, and this process ends at once as a killed driver would, so that the
 * next call of the experiment does not meet a stranger at work.
 */
final class ChildRun {
  private static final int LOST_PARENT = 143;

  private ChildRun() {}

  /** Takes the words of the command line. */
  public static void main(String[] args) {
    Thread watch = new Thread(ChildRun::haltWithTheParent, "experiment-parent");
    watch.setDaemon(true);
    watch.start();
    Main.main(args);
  }

  private static void haltWithTheParent() {
    try {
      while (System.in.read() >= 0) {
        // Whatever comes is no message of ours.
        continue;
      }
    } catch (IOException broken) {
      Runtime.getRuntime().halt(LOST_PARENT);
    }
    Runtime.getRuntime().halt(LOST_PARENT);
  }
}
