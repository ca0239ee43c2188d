package dev.kindling.worker.launch;

import java.io.ObjectInputFilter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What Java deserialisation may create in one of our JVMs: nothing that is not named. Nothing of
 * ours uses it; Spark does for its messages, tasks and results. A filter that the user gave the JVM
 * ({@code -Djdk.serialFilter}) stays in the place of ours.
 */
public final class SerialFilter {
  private static final Logger LOG = LoggerFactory.getLogger(SerialFilter.class);

  /** For JVMs without Spark. */
  private static final String NOTHING = "!*";

  /**
   * What Spark and we send between JVMs, and then nothing. Of the JDK only packages of values: the
   * known chains of calls start in javax.management, com.sun, sun and java.rmi, or in libraries
   * that stand beside Spark (commons-collections, jackson) and are not here either. Exceptions of
   * other libraries reach the driver as text, which is how Spark treats those it cannot read.
   */
  private static final String SPARK =
      String.join(
          ";",
          "maxdepth=200",
          "java.lang.**",
          "java.util.**",
          "java.io.*",
          "java.math.*",
          "java.net.*",
          "java.nio.**",
          "java.sql.*",
          "java.text.*",
          "java.time.**",
          "sun.util.calendar.*",
          "scala.**",
          "org.apache.spark.**",
          "org.apache.hadoop.**",
          "org.apache.parquet.**",
          "org.roaringbitmap.**",
          "dev.kindling.**",
          NOTHING);

  private SerialFilter() {}

  /** For the rest of this JVM's life nothing is deserialised. */
  public static void refuseAll() {
    install(NOTHING);
  }

  /** For the rest of this JVM's life only what Spark needs is deserialised. */
  public static void refuseAllButSpark() {
    install(SPARK);
  }

  static ObjectInputFilter spark() {
    return ObjectInputFilter.Config.createFilter(SPARK);
  }

  private static void install(String pattern) {
    if (ObjectInputFilter.Config.getSerialFilter() != null) {
      return;
    }
    try {
      ObjectInputFilter.Config.setSerialFilter(ObjectInputFilter.Config.createFilter(pattern));
    } catch (IllegalStateException raced) {
      LOG.debug("another filter came first", raced);
    }
  }
}
