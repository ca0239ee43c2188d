package dev.kindling.worker.plan;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.RecordBinder;
import dev.kindling.configs.yaml.RecordRenderer;
import dev.kindling.kernels.graph.PlanException;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** YAML text to plan and back. */
public final class PlanReader {
  private PlanReader() {}

  /**
   * @param sets {@code path=value} assignments laid over the text
   * @throws dev.kindling.configs.yaml.ConfigException with every error found
   */
  public static Bound<TrainPlan> read(ConfigDocument document, List<String> sets) {
    Bound<TrainPlan> bound = RecordBinder.bind(document.with(sets), TrainPlan.class);
    refusePasswords(bound.value());
    return bound;
  }

  /** Values outside {@code spark.conf} stand in checkpoints, messages and reports. */
  private static void refusePasswords(TrainPlan plan) {
    String paths =
        RecordRenderer.leaves(plan.withoutSecrets()).entrySet().stream()
            .filter(leaf -> Redaction.holdsPassword(leaf.getValue()))
            .map(Map.Entry::getKey)
            .collect(Collectors.joining(", "));
    if (!paths.isEmpty()) {
      throw new PlanException(
          paths
              + ": expected no password in a URI, found one; give it through spark.hadoop settings"
              + " or the environment");
    }
  }

  /** The resolved configuration: reading it gives an equal plan. */
  public static String toYaml(TrainPlan plan) {
    return RecordRenderer.render(plan);
  }

  /** Reads what {@link #toYaml} wrote, for example in another process. */
  public static TrainPlan fromYaml(String yaml) {
    return read(ConfigDocument.parse(yaml, "config.yaml"), List.of()).value();
  }
}
