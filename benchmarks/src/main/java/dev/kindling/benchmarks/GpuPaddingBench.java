package dev.kindling.benchmarks;

import dev.kindling.worker.data.Batch;
import dev.kindling.worker.data.ExamplePacking;
import dev.kindling.worker.step.StepInputs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * {@code bench gpu-padding MODEL MICRO SEQ [--steps N] [--warmup N] [--seed N]}: real tokens per
 * second of whole training steps over examples whose lengths are uniform in 1..SEQ (the case of
 * ByteTransformer, Zhai et al. 2023, 2210.03052): one example a sequence and padding behind it,
 * against examples that are packed as {@code data: {type: chat}} packs them, without seeing each
 * other. Both in this process, one after the other, each on batches of its own.
 */
final class GpuPaddingBench implements Benchmark {
  private static final int BATCHES = 16;
  private static final double LEARNING_RATE = 1e-4;

  /** One batch; {@code tokens} real ones. */
  private record Filled(int[] ids, int[] targets, int[] positions, int[] segments, int tokens) {}

  @Override
  public void run(Results results, List<String> arguments) {
    GpuOptions options =
        GpuOptions.of(arguments, Map.of("steps", "64", "warmup", "16", "seed", "20261128"));
    String name = options.prefix("gpu-padding");
    double padded = measure(results, options, name + "padded.", false);
    double packed = measure(results, options, name + "packed.", true);
    results.add(name + "speedup", packed / padded, "x");
  }

  private static double measure(Results results, GpuOptions options, String name, boolean packed) {
    List<Filled> batches = batches(options, packed);
    double places = (double) options.micro() * options.sequence() * BATCHES;
    results.add(name + "fill", batches.stream().mapToInt(Filled::tokens).sum() / places, "x");
    int steps = options.more().count("steps") / BATCHES * BATCHES;
    try (GpuTraining training =
        new GpuTraining(
            options.model(),
            options.model().graphs(options.micro(), options.sequence(), LEARNING_RATE, packed),
            true)) {
      submit(training, batches.get(0));
      for (int step = 1; step < options.more().count("warmup"); step++) {
        submit(training, batches.get(step % BATCHES));
        training.outcome();
      }
      long tokens = 0;
      long begin = System.nanoTime();
      for (int step = 0; step < steps; step++) {
        submit(training, batches.get(step % BATCHES));
        tokens += batches.get(step % BATCHES).tokens();
        training.outcome();
      }
      double seconds = (System.nanoTime() - begin) / 1e9;
      float loss = training.outcome().loss();
      if (!Float.isFinite(loss)) {
        throw new IllegalStateException(name + ": expected a finite loss, found " + loss);
      }
      results.add(name + "step", seconds / steps * 1e3, "ms");
      results.add(name + "tokens", tokens / seconds, "tokens/s");
      return tokens / seconds;
    }
  }

  private static void submit(GpuTraining training, Filled batch) {
    StepInputs inputs = training.inputs();
    inputs.tokens().put(0, batch.ids());
    inputs.targets().put(0, batch.targets());
    inputs.positions().put(0, batch.positions());
    if (inputs.segments() != null) {
      inputs.segments().put(0, batch.segments());
    }
    training.submitInputs();
  }

  /**
   * Lengths of all examples are drawn first, so that packing has as many to choose from as a set.
   */
  private static List<Filled> batches(GpuOptions options, boolean packed) {
    SplittableRandom random = new SplittableRandom(options.more().count("seed"));
    int sequences = options.micro() * BATCHES;
    int[] lengths = new int[packed ? 2 * sequences : sequences];
    Arrays.setAll(lengths, example -> 1 + random.nextInt(options.sequence()));
    List<int[]> examples =
        packed
            ? new ArrayList<>(ExamplePacking.bestFit(lengths, options.sequence()))
            : new ArrayList<>(Arrays.stream(lengths).mapToObj(each -> new int[] {each}).toList());
    List<Filled> batches = new ArrayList<>();
    for (int batch = 0; batch < BATCHES; batch++) {
      List<int[]> rows = new ArrayList<>();
      for (int row = 0; row < options.micro(); row++) {
        // From all over the packing, whose last sequences are emptier.
        int at = (int) ((long) (batch * options.micro() + row) * examples.size() / sequences);
        int[] numbers = examples.get(at);
        rows.add(packed ? Arrays.stream(numbers).map(i -> lengths[i]).toArray() : numbers);
      }
      batches.add(filled(options, rows, random));
    }
    return batches;
  }

  private static Filled filled(GpuOptions options, List<int[]> rows, SplittableRandom random) {
    int places = options.micro() * options.sequence();
    int vocabulary = options.model().vocabulary();
    int[] targets = new int[places];
    Arrays.fill(targets, Batch.IGNORED);
    Filled filled =
        new Filled(
            random.ints(places, 0, vocabulary).toArray(),
            targets,
            new int[places],
            new int[places],
            rows.stream().mapToInt(row -> Arrays.stream(row).sum()).sum());
    for (int row = 0; row < rows.size(); row++) {
      int at = row * options.sequence();
      int segment = 0;
      for (int length : rows.get(row)) {
        for (int position = 0; position < length; position++, at++) {
          filled.positions()[at] = position;
          filled.segments()[at] = segment;
          targets[at] = random.nextInt(vocabulary);
        }
        segment++;
      }
      for (int position = 0; at < (row + 1) * options.sequence(); position++, at++) {
        filled.positions()[at] = position;
        filled.segments()[at] = segment;
      }
    }
    return filled;
  }
}
