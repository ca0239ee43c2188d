package dev.kindling.driver.experiment;

import java.io.IOException;
import java.util.List;

/** Runs one command of Kindling to its end, somewhere. */
public interface RunStarter {
  /**
   * @param command words after {@code kindling}: {@code train ...} or {@code resume ...}
   * @param runName for logs
   * @return its exit code; an interrupt ends the child and throws
   */
  int run(String runName, List<String> command) throws IOException, InterruptedException;
}
