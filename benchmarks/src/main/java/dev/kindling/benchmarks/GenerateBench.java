package dev.kindling.benchmarks;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.generate.Generator;
import dev.kindling.worker.generate.SampleRequest;
import dev.kindling.worker.generate.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * {@code bench generate MODEL [--device auto|cpu|cuda] [--prompt N] [--tokens N] [--context N]
 * [--rounds N]}: tokens per second of prompts and of the tokens behind them, one sequence and eight
 * at a time, greedily, by random weights. A prompt of as many tokens as one of the windows (32, 64,
 * 128, ...) has no padding.
 */
final class GenerateBench implements Benchmark {
  private static final int[] SEQUENCES = {1, 8};
  private static final int SEED = 20261128;

  @Override
  public void run(Results results, List<String> arguments) {
    if (arguments.isEmpty()) {
      throw new IllegalArgumentException("expected MODEL, found none");
    }
    GpuModel model = GpuModel.named(arguments.get(0));
    BenchOptions options =
        BenchOptions.of(
            arguments.subList(1, arguments.size()),
            Map.of(
                "device", "auto", "prompt", "512", "tokens", "128", "context", "1024", "rounds",
                "5"));
    ModelPlace place = ModelPlace.here(device(options.text("device")));
    for (int sequences : SEQUENCES) {
      try (PlacedModel<Generator> placed =
          PlacedModel.open(
              place,
              results::note,
              backend -> filled(model, options.count("context"), sequences, backend))) {
        results.note(placed.backend().name());
        String name = "generate." + model.name() + ".b" + sequences + '.';
        measure(results, name, placed.model(), model.vocabulary(), sequences, options);
      }
    }
  }

  private static DeviceChoice device(String word) {
    if (!DeviceChoice.words().contains(word)) {
      throw new IllegalArgumentException(
          "--device: expected one of " + DeviceChoice.words() + ", found " + word);
    }
    return DeviceChoice.of(word);
  }

  private static Generator filled(GpuModel model, int context, int sequences, Backend backend) {
    Generator generator = new Generator(model.family(context), context, sequences, backend);
    for (Param param : generator.params()) {
      Initialization.fill(param, SEED, generator.weight(param.name()));
      generator.filled(param.name());
    }
    return generator;
  }

  /** A first token costs the prompts alone, so the difference is that of the tokens behind it. */
  private static void measure(
      Results results,
      String name,
      Generator generator,
      int vocabulary,
      int sequences,
      BenchOptions options) {
    int length = options.count("prompt");
    int tokens = options.count("tokens");
    SplittableRandom random = new SplittableRandom(SEED);
    List<int[]> prompts = new ArrayList<>();
    for (int sequence = 0; sequence < sequences; sequence++) {
      prompts.add(random.ints(length, 0, vocabulary).toArray());
    }
    int rounds = Math.max(1, options.count("rounds"));
    double[] first = new double[rounds];
    double[] all = new double[rounds];
    for (int round = -1; round < rounds; round++) {
      double one = seconds(generator, prompts, 1, vocabulary);
      double many = seconds(generator, prompts, 1 + tokens, vocabulary);
      // The first round compiles.
      if (round >= 0) {
        first[round] = one;
        all[round] = many - one;
      }
    }
    Arrays.sort(first);
    Arrays.sort(all);
    double prompt = first[rounds / 2];
    double decode = all[rounds / 2];
    results.add(name + "prompt", sequences * length / prompt, "tokens/s");
    results.add(name + "first", prompt / sequences * 1e3, "ms");
    results.add(name + "decode", sequences * tokens / decode, "tokens/s");
    results.add(name + "step", decode / tokens * 1e3, "ms");
  }

  private static double seconds(
      Generator generator, List<int[]> prompts, int tokens, int vocabulary) {
    SampleRequest request = new SampleRequest(prompts, tokens, Sampling.greedy(), vocabulary, -1);
    long begin = System.nanoTime();
    List<int[]> added = generator.sample(request, (prompt, id) -> {});
    double seconds = (System.nanoTime() - begin) / 1e9;
    for (int[] text : added) {
      if (text.length != tokens) {
        throw new IllegalStateException("expected " + tokens + " tokens, found " + text.length);
      }
    }
    return seconds;
  }
}
