package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.RecordRenderer;
import dev.kindling.configs.yaml.ValueOrigin;
import dev.kindling.worker.plan.BatchArithmetic;
import dev.kindling.worker.plan.TrainPlan;
import java.util.Locale;
import java.util.Map;

/** The page of {@code explain}: plain text, the same for the same plan on every machine. */
final class ExplainPage {
  private final Bound<TrainPlan> bound;
  private final StringBuilder out = new StringBuilder();

  ExplainPage(Bound<TrainPlan> bound) {
    this.bound = bound;
  }

  String text() {
    values();
    batches();
    return out.toString();
  }

  private void values() {
    line("values (where each came from)");
    Map<String, ValueOrigin> origins = bound.origins();
    for (Map.Entry<String, String> leaf : RecordRenderer.leaves(bound.value()).entrySet()) {
      String origin = String.valueOf(origins.getOrDefault(leaf.getKey(), missing(leaf.getKey())));
      line("  %-28s %-40s %s", leaf.getKey(), shorten(leaf.getValue()), origin);
    }
  }

  /** A list of sections is one leaf here, but was read item by item. */
  private ValueOrigin missing(String path) {
    return bound.origins().entrySet().stream()
        .filter(e -> e.getKey().startsWith(path + ".") || path.startsWith(e.getKey() + "."))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse(ValueOrigin.DEFAULT);
  }

  private static String shorten(String value) {
    return value.length() <= 60 ? value : value.substring(0, 57) + "...";
  }

  private void batches() {
    TrainPlan plan = bound.value();
    BatchArithmetic counts = plan.arithmetic();
    line("");
    line("batches");
    row("tokens per step", plan.globalBatch(), "over all ranks");
    row("samples per step", counts.samplesPerStep(), plan.sequenceLength() + " tokens each");
    row("ranks", plan.ranks(), "");
    row("micro-steps per step", counts.accumulation(), "per rank");
    row("tokens per micro-step", counts.tokensPerMicroStep(), "over all ranks");
    row("sequences per micro-batch", counts.sequencesPerMicroBatch(), "");
    row("logical shards per rank", counts.logicalShardsPerRank(), "");
    row("tokens of the whole run", plan.steps() * plan.globalBatch(), plan.steps() + " steps");
  }

  private void row(String name, long value, String note) {
    line("  %-28s %,16d  %s", name, value, note);
  }

  private void line(String format, Object... arguments) {
    out.append(String.format(Locale.ROOT, format, arguments).stripTrailing()).append('\n');
  }
}
