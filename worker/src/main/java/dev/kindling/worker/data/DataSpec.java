package dev.kindling.worker.data;

import java.io.Serializable;
import java.nio.file.Path;
import java.util.List;

/**
 * Where training text comes from. Every kind but {@link Prepared} is tokenised and packed into a
 * prepared set by {@link Preparation}; {@code type:} in YAML picks the record.
 */
public sealed interface DataSpec extends Serializable permits Source, Mixture {
  /**
   * The same data from any working folder: relative paths, which start at this process's working
   * folder, become absolute.
   */
  DataSpec absolute();

  /** Whether attention and targets stay inside one document; of no meaning for a prepared set. */
  boolean maskDocuments();

  /** One path made absolute, without the dots. */
  static String absolute(String path) {
    return Path.of(path).toAbsolutePath().normalize().toString();
  }

  /** As {@link #absolute(String)}, one by one. */
  static List<String> absolute(List<String> paths) {
    return paths.stream().map(DataSpec::absolute).toList();
  }
}
