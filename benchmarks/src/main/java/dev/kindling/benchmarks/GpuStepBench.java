package dev.kindling.benchmarks;

import dev.kindling.worker.step.StepOutcome;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * {@code bench gpu-step MODEL MICRO SEQ [--steps N] [--warmup N] [--eager true]}: tokens per second
 * of whole steps (forward, backward, clipping, AdamW) on random tokens, from the median step.
 */
final class GpuStepBench implements Benchmark {
  @Override
  public void run(Results results, List<String> arguments) {
    GpuOptions options =
        GpuOptions.of(arguments, Map.of("steps", "60", "warmup", "10", "eager", "false"));
    boolean captured = !Boolean.parseBoolean(options.more().text("eager"));
    int steps = Math.max(1, options.more().count("steps"));
    String name = options.prefix(captured ? "gpu-step" : "gpu-step-eager");
    long start = System.nanoTime();
    try (GpuTraining training =
        new GpuTraining(options.model(), options.micro(), options.sequence(), captured)) {
      training.submit();
      StepOutcome outcome = training.outcome();
      results.note(training.device());
      results.add(name + "start", (System.nanoTime() - start) / 1e9, "s");
      results.add(name + "loss.first", outcome.loss(), "nats");
      training.submit();
      for (int i = 1; i < options.more().count("warmup"); i++) {
        training.submit();
        outcome = training.outcome();
      }
      double[] millis = new double[steps];
      long begin = System.nanoTime();
      for (int i = 0; i < steps; i++) {
        training.submit();
        outcome = training.outcome();
        long end = System.nanoTime();
        millis[i] = (end - begin) / 1e6;
        begin = end;
      }
      StepOutcome last = outcome.copy();
      training.outcome();
      Arrays.sort(millis);
      double median = millis[steps / 2];
      results.add(name + "tokens", training.tokens() / median * 1e3, "tokens/s");
      results.add(name + "step", median, "ms");
      results.add(name + "step.best", millis[0], "ms");
      results.add(name + "step.p95", millis[Math.min(steps - 1, steps * 95 / 100)], "ms");
      results.add(name + "reserved", training.reservedBytes() / (double) (1L << 30), "GiB");
      results.add(name + "loss.last", last.loss(), "nats");
      if (!Float.isFinite(last.loss()) || last.skipped()) {
        throw new IllegalStateException(name + ": expected a finite loss, found " + last);
      }
    }
  }
}
