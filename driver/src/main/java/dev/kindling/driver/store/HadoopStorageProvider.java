package dev.kindling.driver.store;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageProvider;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import scala.Tuple2;

/**
 * Opens the file systems that the cluster's Hadoop knows, with the settings of the process, of its
 * Spark application, and of the run; later ones win.
 */
public final class HadoopStorageProvider implements StorageProvider {
  private static final String SPARK_PREFIX = "spark.hadoop.";

  /** One client for each store and settings; Hadoop closes them at the end of the process. */
  private static final Map<Opened, FileSystem> FILES = new ConcurrentHashMap<>();

  /** Hadoop's own cache knows no settings: whoever opens a store first would choose for all. */
  private record Opened(URI store, Map<String, String> settings) {}

  @Override
  public Storage open(URI root, Map<String, String> settings) throws IOException {
    Configuration configuration = configuration(settings);
    Path path = new Path(root);
    FileSystem files = files(root, configuration, settings);
    return new HadoopStorage(files, path, CommitRule.of(files, path, configuration));
  }

  private static FileSystem files(
      URI root, Configuration configuration, Map<String, String> settings) throws IOException {
    URI store = root.resolve("/");
    try {
      return FILES.computeIfAbsent(
          new Opened(store, Map.copyOf(settings)),
          absent -> {
            try {
              return FileSystem.newInstance(store, configuration);
            } catch (IOException failed) {
              throw new UncheckedIOException(failed);
            }
          });
    } catch (UncheckedIOException failed) {
      throw failed.getCause();
    }
  }

  private static Configuration configuration(Map<String, String> settings) {
    Configuration configuration = new Configuration();
    // Where spark-submit leaves them until Spark has started.
    for (String key : System.getProperties().stringPropertyNames()) {
      if (key.startsWith(SPARK_PREFIX)) {
        configuration.set(key.substring(SPARK_PREFIX.length()), System.getProperty(key, ""));
      }
    }
    SparkEnv spark = SparkEnv.get();
    if (spark != null) {
      for (Tuple2<String, String> entry : spark.conf().getAllWithPrefix(SPARK_PREFIX)) {
        configuration.set(entry._1(), entry._2());
      }
    }
    settings.forEach(configuration::set);
    return configuration;
  }
}
