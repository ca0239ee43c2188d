package dev.kindling.worker.checkpoint;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a commit records about its run besides the numbers: read by people and by resume's checks,
 * never trusted to select.
 *
 * @param config resolved configuration as YAML text
 * @param determinism replay or exact
 * @param logicalShards fixed for the run in exact mode
 * @param code versions by name: Kindling, JDK, backend, libraries
 */
public record RunFacts(
    String config, String determinism, int logicalShards, Map<String, String> code) {
  public RunFacts {
    code = Collections.unmodifiableMap(new TreeMap<>(code));
  }
}
