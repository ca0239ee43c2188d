package dev.kindling.benchmarks;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.graph.Role;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepOutcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * {@code bench gpu-adapters MODEL BATCH SEQ [--adapter lora|dora|paca] [--rank R] [--base bf16|nf4]
 * [--recompute [LEVEL]] [--pruned SHARE] [--chunks N] [--steps N] [--warmup N] [--plan]}: seconds
 * per step, tokens per second and bytes of fine-tuning on random weights and tokens. MODEL is tiny,
 * 1b, 8b, 30b or 70b; {@code --recompute} alone means blocks. With {@code --pruned} the model is
 * what {@code prune --structured --sparsity SHARE} leaves of MODEL. With {@code --plan} no GPU is
 * asked: the bytes that an H100 would reserve, by kind.
 */
final class GpuAdaptersBench implements Benchmark {
  private static final double GIB = 1L << 30;
  private static final Map<String, String> DEFAULTS =
      Map.of(
          "adapter",
          "lora",
          "rank",
          "8",
          "base",
          "bf16",
          "recompute",
          "none",
          "pruned",
          "0",
          "chunks",
          "8",
          "steps",
          "20",
          "warmup",
          "5");

  @Override
  public void run(Results results, List<String> arguments) {
    List<String> words = new ArrayList<>(arguments);
    boolean plan = words.remove("--plan");
    int flag = words.indexOf("--recompute");
    if (flag >= 0 && (flag + 1 == words.size() || words.get(flag + 1).startsWith("--"))) {
      words.add(flag + 1, "blocks");
    }
    if (words.size() < 3) {
      throw new IllegalArgumentException("expected MODEL BATCH SEQ, found " + arguments);
    }
    int batch = Integer.parseInt(words.get(1));
    int sequence = Integer.parseInt(words.get(2));
    BenchOptions options = BenchOptions.of(words.subList(3, words.size()), DEFAULTS);
    AdapterShape shape = AdapterShape.of(MezoShape.named(words.get(0)), options);
    String left = shape.pruned() == 0 ? "" : "-pruned" + options.text("pruned");
    String name =
        String.format(
            Locale.ROOT,
            "gpu-adapters.%s%s.%dx%d.%s%d.%s.%s.",
            shape.model().name(),
            left,
            batch,
            sequence,
            shape.type(),
            shape.rank(),
            options.text("base"),
            options.text("recompute"));
    StepGraphs graphs = shape.graphs(batch, sequence);
    results.add(name + "parameters", graphs.model().parameterCount(), "count");
    CudaBytes planned = AdapterShape.planned(graphs);
    plan(results, name, planned);
    if (!plan) {
      time(results, name, graphs, options);
    }
  }

  private static void plan(Results results, String name, CudaBytes bytes) {
    for (Role role : Role.values()) {
      long arena = bytes.variables().getOrDefault(role, 0L);
      if (arena > 0) {
        results.add(name + "plan." + role.name().toLowerCase(Locale.ROOT), arena, "B");
      }
    }
    results.add(name + "plan.copies", bytes.copies(), "B");
    results.add(name + "plan.activations", bytes.activations(), "B");
    results.add(name + "plan.all", bytes.total(), "B");
  }

  private static void time(Results results, String name, StepGraphs graphs, BenchOptions options) {
    long start = System.nanoTime();
    try (GpuAdapters training = new GpuAdapters(graphs)) {
      results.note(training.device());
      results.add(name + "trained", training.trained(), "count");
      results.add(name + "start", (System.nanoTime() - start) / 1e9, "s");
      training.submit();
      StepOutcome outcome = training.outcome().copy();
      results.add(name + "loss.first", outcome.loss(), "nats");
      training.submit();
      double[] seconds = times(training, options.count("warmup"), options.count("steps"));
      StepOutcome last = training.outcome().copy();
      double median = seconds[seconds.length / 2];
      results.add(name + "step", median, "s");
      results.add(name + "step.best", seconds[0], "s");
      results.add(name + "tokens", training.tokens() / median, "tokens/s");
      results.add(name + "loss.last", last.loss(), "nats");
      results.add(name + "reserved", training.reservedBytes() / GIB, "GiB");
      results.add(name + "device", training.usedBytes() / GIB, "GiB");
      if (!Float.isFinite(last.loss()) || last.skipped()) {
        throw new IllegalStateException(name + ": expected a finite loss, found " + last);
      }
    }
  }

  /** Ascending. One step is under way already; it computes while the host submits the next. */
  private static double[] times(GpuAdapters training, int warmup, int steps) {
    double[] seconds = new double[Math.max(1, steps)];
    for (int i = 0; i < warmup; i++) {
      training.submit();
      training.outcome();
    }
    long begin = System.nanoTime();
    for (int i = 0; i < seconds.length; i++) {
      training.submit();
      training.outcome();
      long end = System.nanoTime();
      seconds[i] = (end - begin) / 1e9;
      begin = end;
    }
    Arrays.sort(seconds);
    return seconds;
  }
}
