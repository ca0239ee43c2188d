package dev.kindling.benchmarks.scaling;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.RecordBinder;
import dev.kindling.kernels.graph.Expectation;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The YAML file that a simulation starts from.
 *
 * @param worker what one worker computes in a step, alone
 * @param cluster how workers are joined
 * @param methods what is compared, by name
 * @param allReduces measured times of collectives, to which the links are fitted
 * @param runs measured times of whole steps, which the simulator has to meet
 */
public record Measurements(
    Worker worker,
    Cluster cluster,
    Map<String, SyncMethod> methods,
    List<AllReducePoint> allReduces,
    List<MeasuredRun> runs) {
  public Measurements {
    methods = Collections.unmodifiableMap(new LinkedHashMap<>(methods));
    allReduces = List.copyOf(allReduces);
    runs = List.copyOf(runs);
    new Expectation()
        .that(!methods.isEmpty(), "methods", "at least one method by name", methods)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("all_reduces", List.of(), "runs", List.of());
  }

  /**
   * @param assignments {@code path=value} over the file
   * @throws dev.kindling.configs.yaml.ConfigException with every error, each with its line
   */
  public static Measurements read(Path file, List<String> assignments) {
    ConfigDocument document = ConfigDocument.read(file).with(assignments);
    return RecordBinder.bind(document, Measurements.class).value();
  }

  /** The links with latency and share fitted where their network was measured. */
  public Cluster fittedCluster() {
    return new Cluster(
        cluster.workersPerHost(),
        LinkFit.of(cluster.inside(), allReduces),
        LinkFit.of(cluster.between(), allReduces));
  }

  /** The link that the points of a network give, be it part of the cluster or not. */
  public Link fitted(String network) {
    Link own =
        Stream.of(cluster.inside(), cluster.between())
            .filter(link -> link.network().equals(network))
            .findFirst()
            .orElse(new Link(network, 1, 0, 1));
    return LinkFit.of(own, allReduces);
  }
}
