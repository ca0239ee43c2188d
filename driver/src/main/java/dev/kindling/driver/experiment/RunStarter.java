package dev.kindling.driver.experiment;

import java.io.IOException;
import java.util.List;

/** Runs one command of Kindling to its end, somewhere. */
public interface RunStarter {
  /**
   * @param runName for logs
   * @param command words after {@code kindling}: {@code train ...} or {@code resume ...}
   * @param gpus what CUDA_VISIBLE_DEVICES is for it; empty leaves it alone
   * @return its exit code; an interrupt ends the child and throws
   */
  int run(String runName, List<String> command, String gpus)
      throws IOException, InterruptedException;
}
