package dev.kindling.worker.store;

import java.io.IOException;
import java.net.URI;
import java.util.Map;

/**
 * Opens storages that are no local folder. Found through {@link java.util.ServiceLoader}, so that
 * the worker names no class of Hadoop and a launcher without Hadoop's jars starts all the same.
 */
public interface StorageProvider {
  /**
   * Nothing is read or written yet.
   *
   * @param root absolute, with a scheme other than {@code file}
   * @param settings the run's own settings of the file system, by their full names; they win over
   *     those of the cluster
   * @throws IOException if the file system is unknown, or cannot keep the port's promises
   */
  Storage open(URI root, Map<String, String> settings) throws IOException;
}
