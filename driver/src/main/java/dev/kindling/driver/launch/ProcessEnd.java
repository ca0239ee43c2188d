package dev.kindling.driver.launch;

import java.io.Serializable;
import org.apache.spark.SparkEnv;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a rank ends the process that it shares with Spark. */
interface ProcessEnd extends Serializable {
  void end(int exitCode);

  /**
   * Ends an executor at once: shutdown hooks may wait for the GPU for ever. In Spark's local mode
   * the process is the driver's, which has to say why the run failed, and stays.
   */
  final class Halt implements ProcessEnd {
    private static final long serialVersionUID = 1L;

    /** What Spark calls the executor inside the driver. */
    private static final String DRIVER = "driver";

    private static final Logger LOG = LoggerFactory.getLogger(Halt.class);

    @Override
    public void end(int exitCode) {
      if (DRIVER.equals(SparkEnv.get().executorId())) {
        LOG.error("a GPU of this process stays busy until it ends; begin the run anew");
      } else {
        Runtime.getRuntime().halt(exitCode);
      }
    }
  }
}
