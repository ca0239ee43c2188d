package dev.kindling.benchmarks;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What both sides of {@code bench cpu-train} start from: our model's first weights under their
 * public names, one batch, the settings of AdamW. Whoever trains on it gets the same losses but for
 * rounding.
 */
final class StartWeights {
  static final int SEED = 1;
  static final double LEARNING_RATE = 1e-3;
  static final double CLIP_NORM = 1.0;

  private final Map<String, Param> params;

  StartWeights(TrainShape shape) {
    params =
        graphs(shape).evaluate().params().stream()
            .collect(Collectors.toMap(Param::name, Function.identity()));
  }

  /** The sentences of a step of this shape. */
  static StepGraphs graphs(TrainShape shape) {
    AdamW rule = new AdamW(LEARNING_RATE, 0.9, 0.999, 1e-8, 0.01, CLIP_NORM);
    StepShape step = new StepShape(shape.microTokens(), shape.sequence(), false, 1, 1);
    return new StepGraphs(family(shape), new Full(), rule, step);
  }

  /** The family record as a user would write it. */
  private static ModelFamily family(TrainShape shape) {
    String model =
        String.format(
            Locale.ROOT,
            "{type: %s, width: %d, layers: %d, heads: %d, mlp_width: %d, context: %d}",
            shape.gpt2() ? "gpt2" : "llama",
            shape.width(),
            shape.layers(),
            shape.heads(),
            shape.mlpWidth(),
            shape.sequence());
    String plan =
        "model: "
            + model
            + "\ndata: {type: prepared, path: none}\noptimizer: {type: adamw, lr: 1e-4}\nsteps: 1\n"
            + "global_batch: 256\nmicro_batch: 256\nsequence_length: 256\n";
    return PlanReader.fromYaml(plan).model().withVocabulary(shape.vocabulary());
  }

  /** Token and target ids in turn: [T][2]. */
  static int[][] batch(TrainShape shape) {
    Random random = new Random(SEED);
    int[][] batch = new int[shape.microTokens()][];
    for (int i = 0; i < batch.length; i++) {
      batch[i] = new int[] {random.nextInt(shape.vocabulary()), random.nextInt(shape.vocabulary())};
    }
    return batch;
  }

  /** First values of one parameter, row-major. */
  float[] values(String name) {
    Param param = params.get(name);
    if (param == null) {
      throw new IllegalArgumentException("no parameter " + name + " in " + params.keySet());
    }
    try (Span span = Span.allocate(param.shape().elements() * Float.BYTES)) {
      Initialization.fill(param, SEED, span);
      return span.toFloats();
    }
  }

  /** Parameters with the same rows, one below the other. */
  float[] stacked(List<String> names) {
    List<float[]> parts = names.stream().map(this::values).toList();
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }
}
