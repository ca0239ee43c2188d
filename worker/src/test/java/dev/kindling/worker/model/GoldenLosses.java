package dev.kindling.worker.model;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.schedule.Cosine;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Trains tiny models for 20 steps; a program, so that it also runs in a JVM of its own. */
final class GoldenLosses {
  static final int STEPS = 20;
  static final int MODELS = 5;
  private static final int TOKENS = 64;
  private static final int SEQUENCE = 16;
  private static final int VOCABULARY = 29;
  private static final long SEED = 7;

  private GoldenLosses() {}

  /** Prints the lines of the given number of steps. */
  public static void main(String[] arguments) {
    lines(Integer.parseInt(arguments[0])).forEach(System.out::println);
  }

  /** One line a step: model, step, bits of the mean loss, the loss for the reader. */
  static List<String> lines(int steps) {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> vocabulary = Optional.of(VOCABULARY);
    Optional<Integer> two = Optional.of(2);
    Llama llama =
        new Llama(24, 2, 4, two, Optional.of(8), none, vocabulary, 32, false, 0.05, 1e4, 1e-5);
    Gpt2 gpt2 = new Gpt2(24, 2, 2, none, vocabulary, 32, true, 0.05, 1e-5);
    Optional<Integer> eight = Optional.of(8);
    Optional<RopeScaling> plain = Optional.empty();
    Optional<RopeScaling> llama3 = Optional.of(new RopeScaling.Llama3(8, 1, 4, 16));
    Mistral mistral =
        new Mistral(
            24,
            2,
            4,
            two,
            none,
            none,
            vocabulary,
            32,
            true,
            0.05,
            1e4,
            plain,
            1e-5,
            Optional.of(5));
    Qwen2 qwen2 =
        new Qwen2(24, 2, 4, two, none, none, vocabulary, 32, true, 0.05, 1e4, plain, 1e-6, none);
    Qwen3 qwen3 =
        new Qwen3(24, 2, 4, two, eight, none, vocabulary, 32, false, 0.05, 1e4, llama3, 1e-6, none);
    List<String> lines = new ArrayList<>(train("llama", llama, steps));
    lines.addAll(train("gpt2", gpt2, steps));
    lines.addAll(train("mistral", mistral, steps));
    lines.addAll(train("qwen2", qwen2, steps));
    lines.addAll(train("qwen3", qwen3, steps));
    return lines;
  }

  private static List<String> train(String name, ModelFamily family, int steps) {
    AdamW rule = new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0);
    Cosine schedule = new Cosine(3, 0.1);
    Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
    TrainingBench.Layout layout = new TrainingBench.Layout(TOKENS, SEQUENCE, true);
    List<String> lines = new ArrayList<>();
    try (TrainingBench bench = new TrainingBench(family, rule, backend, layout)) {
      for (Param p : family.parameters()) {
        Initialization.fill(p, SEED, bench.span(p.name()));
      }
      bench.documents(List.of(5, 11));
      for (int step = 1; step <= steps; step++) {
        bench.clearGradients();
        for (int microStep = 0; microStep < 2; microStep++) {
          int[] text = text(TOKENS + 1, (step - 1) * 2 + microStep);
          bench.accumulate(slice(text, 0), slice(text, 1));
        }
        float loss = bench.loss();
        lines.add(
            String.format(
                Locale.ROOT, "%s %d %08x %.6f", name, step, Float.floatToRawIntBits(loss), loss));
        bench.update(step, schedule.factor(step, STEPS));
      }
    }
    return lines;
  }

  private static int[] slice(int[] text, int from) {
    int[] ids = new int[TOKENS];
    System.arraycopy(text, from, ids, 0, TOKENS);
    return ids;
  }

  /** Two interleaved arithmetic sequences: something that a tiny model can begin to learn. */
  private static int[] text(int length, int batch) {
    int[] ids = new int[length];
    for (int i = 0; i < length; i++) {
      ids[i] = (i % 2 == 0 ? i / 2 + 5 * batch : 7 * (i / 2)) % (i % 2 == 0 ? VOCABULARY : 8);
    }
    return ids;
  }
}
