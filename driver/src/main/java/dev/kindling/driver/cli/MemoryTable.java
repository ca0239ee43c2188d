package dev.kindling.driver.cli;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.optim.rule.AdamState;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Galore;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.Paca;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.plan.GradientLife;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What other methods would need for the same model and batch: the programs of each are written and
 * planned as those of the run, only nobody reserves anything.
 */
final class MemoryTable {
  /** Names of the parts, and the letter that stands for each in a bar. */
  static final List<String> COLUMNS =
      List.of("weights", "gradients", "state", "activations", "workspace");

  private static final String LETTERS = "WGSA.";
  private static final int BAR = 40;
  private static final double MIB = 1 << 20;
  private static final String CONFIGURED = "as configured";

  private final TrainPlan plan;
  private final TrainStep chosen;
  private final MemoryFit.Pricing pricing;
  private final List<Method> methods = new ArrayList<>();
  private final List<MemoryRow> rows = new ArrayList<>();
  private final List<String> refusals = new ArrayList<>();

  private MemoryTable(StepMemory memory) {
    plan = memory.plan();
    chosen = memory.chosen();
    pricing = memory.pricing();
  }

  /** Of the step that a run would take, and of its alternatives. */
  static MemoryTable of(StepMemory memory) {
    MemoryTable table = new MemoryTable(memory);
    table.add(CONFIGURED, () -> table.chosen);
    table.optimizers();
    table.adapters();
    table.recomputation();
    table.plan();
    return table;
  }

  /** A method that may not go with the rest of the plan. */
  private record Method(String name, Supplier<TrainStep> step) {}

  /** What became of a method: a row, or why there is none. */
  private record Outcome(@Nullable MemoryRow row, String refusal) {}

  /** Layouts of a billion parameters take a second each, so all cores share them. */
  private void plan() {
    for (Outcome outcome : methods.parallelStream().map(this::outcome).toList()) {
      MemoryRow row = outcome.row();
      if (row != null) {
        rows.add(row);
      } else {
        refusals.add(outcome.refusal());
      }
    }
  }

  private Outcome outcome(Method method) {
    try {
      return new Outcome(MemoryRow.of(method.name(), method.step().get(), plan.device()), "");
    } catch (PlanException | IllegalArgumentException | DeviceException refused) {
      return new Outcome(null, method.name() + ": " + refused.getMessage());
    }
  }

  /** The configured method first. */
  List<MemoryRow> rows() {
    return List.copyOf(rows);
  }

  private void optimizers() {
    Adapter adapter = plan.adapter();
    int rank = quarter();
    Optional<AdamW> rest = Optional.empty();
    Optional<Double> auto = Optional.empty();
    add("adamw", () -> descent(adapter, adamW(AdamState.FP32)));
    add("adamw, state int8", () -> descent(adapter, adamW(AdamState.INT8)));
    Granularity channel = Granularity.CHANNEL;
    Optimizer apollo =
        new Apollo(1, 0.9, 0.999, 1e-6, 0, 0, rank, auto, 200, false, 1.01, channel, 0, rest);
    add("apollo, rank " + rank, () -> descent(adapter, apollo));
    Optimizer mini = new ApolloMini(1, 0.9, 0.999, 1e-6, 0, 0, auto, 200, false, 1.01, 0, rest);
    add("apollo_mini", () -> descent(adapter, mini));
    Optimizer galore = new Galore(1, 0.9, 0.999, 1e-6, 0, 0, rank, 0.25, 200, 8, 0, rest);
    add("galore, rank " + rank, () -> descent(adapter, galore));
    add("mezo", () -> mezo(adapter));
  }

  /** Over the configured optimizer where it has gradients and trains factors, else over AdamW. */
  private void adapters() {
    Descent own = plan.optimizer();
    boolean forMatrices =
        own instanceof Apollo || own instanceof ApolloMini || own instanceof Galore;
    Optimizer rule =
        own instanceof Optimizer optimizer && !forMatrices ? optimizer : adamW(AdamState.FP32);
    List<String> all = List.of("all-linear");
    List<String> none = List.of();
    Lora lora = new Lora(8, 8, false, 0, all, none, Map.of(), Map.of(), none, Optional.empty());
    add("adapter lora, rank 8", () -> descent(lora, rule));
    add("adapter paca, rank 16", () -> descent(new Paca(16, 16, all, none, Map.of(), none), rule));
    if (!(plan.adapter() instanceof Full)) {
      add("no adapter", () -> descent(new Full(), rule));
    }
  }

  private void recomputation() {
    if (chosen.keepsActivations()) {
      MemorySaving own = chosen.shape().saving();
      for (Recompute.Level level : List.of(Recompute.Level.NONE, Recompute.Level.BLOCKS)) {
        String name = "recompute " + level.name().toLowerCase(Locale.ROOT);
        add(name, () -> chosen.with(new MemorySaving(level, own.lossChunks())));
      }
    }
  }

  private static AdamW adamW(AdamState state) {
    return new AdamW(1, 0.9, 0.95, 1e-8, 0, 0, true, state);
  }

  /** A quarter of the shortest side of a hidden matrix, as publications have it for the width. */
  private int quarter() {
    return chosen.evaluate().params().stream()
        .filter(Param::hidden)
        .mapToInt(param -> Math.min(param.shape().dim(0), param.shape().dim(1)))
        .map(shorter -> Math.max(1, shorter / 4))
        .min()
        .orElse(1);
  }

  private TrainStep descent(Adapter adapter, Optimizer rule) {
    if (chosen.sharding().stage() > 0) {
      for (UpdateRule each : rule.rules()) {
        each.obstacleToPieces().ifPresent(MemoryTable::refuse);
      }
    }
    if (plan.gradientLife() == GradientLife.PASSING && !(adapter instanceof Full)) {
      throw new PlanException(
          "memory.gradients: expected auto, fp32 or bf16 with an adapter, found layerwise");
    }
    return saving(
        new StepGraphs(
            chosen.model(),
            projection(adapter),
            rule,
            chosen.shape(),
            chosen.sharding(),
            plan.gradientLife()));
  }

  private TrainStep mezo(Adapter adapter) {
    if (chosen.sharding().stage() > 0) {
      refuse("mezo (every rank keeps all weights)");
    }
    Mezo rule = new Mezo(1, 1e-3, 1, 0, 0, false);
    StepShape shape = chosen.shape();
    Projection projection = projection(adapter);
    return saving(new MezoStep(chosen.model(), projection, rule, shape, plan.ranks(), plan.seed()));
  }

  private static void refuse(String why) {
    throw new PlanException("mesh.zero: 0 with " + why);
  }

  private Projection projection(Adapter adapter) {
    return adapter.projection(chosen.model(), plan.seed());
  }

  /** Saves memory as the run does; a step with other savings to choose from takes its first. */
  private TrainStep saving(TrainStep step) {
    return step.keepsActivations() == chosen.keepsActivations()
        ? step
        : step.with(new MemoryFit(step, plan.memory(), pricing).first());
  }

  private void add(String method, Supplier<TrainStep> step) {
    methods.add(new Method(method, step));
  }

  /** Lines of text, a bar behind each row. */
  List<String> lines() {
    List<String> lines = new ArrayList<>();
    StringBuilder head = new StringBuilder(String.format(Locale.ROOT, "%-24s", "method"));
    COLUMNS.forEach(column -> head.append(String.format(Locale.ROOT, " %11s", column)));
    lines.add(head + String.format(Locale.ROOT, " %11s", "all"));
    long most = rows.stream().mapToLong(MemoryRow::total).max().orElse(1);
    for (MemoryRow row : rows) {
      StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "%-24s", row.method()));
      row.parts().forEach(part -> line.append(mib(part)));
      lines.add(line + mib(row.total()) + "  " + bar(row, most));
    }
    refusals.forEach(refusal -> lines.add("not " + refusal));
    return lines;
  }

  private static String mib(long bytes) {
    return String.format(Locale.ROOT, " %,11.1f", bytes / MIB);
  }

  /** Letters in proportion: each part ends where the sum so far says, so no rounding adds up. */
  static String bar(MemoryRow row, long most) {
    char[] letters = new char[Math.toIntExact(Math.round((double) BAR * row.total() / most))];
    long sum = 0;
    int from = 0;
    for (int part = 0; part < COLUMNS.size(); part++) {
      sum += row.parts().get(part);
      int to = Math.min(letters.length, Math.toIntExact(Math.round((double) BAR * sum / most)));
      Arrays.fill(letters, from, to, LETTERS.charAt(part));
      from = to;
    }
    return new String(letters);
  }
}
