package dev.kindling.worker.plan;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.RecordBinder;
import dev.kindling.configs.yaml.RecordRenderer;
import java.util.List;

/** YAML text to plan and back. */
public final class PlanReader {
  private PlanReader() {}

  /**
   * @param sets {@code path=value} assignments laid over the text
   * @throws dev.kindling.configs.yaml.ConfigException with every error found
   */
  public static Bound<TrainPlan> read(ConfigDocument document, List<String> sets) {
    return RecordBinder.bind(document.with(sets), TrainPlan.class);
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
