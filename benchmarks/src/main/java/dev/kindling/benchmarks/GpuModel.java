package dev.kindling.benchmarks;

import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import java.util.List;
import java.util.Optional;

/**
 * A model of the benchmarks on a GPU: the shapes that the PyTorch peers train, so that tokens per
 * second compare. GPT-2 ties its head to the embedding, Llama does not.
 */
record GpuModel(
    String name, boolean gpt2, int width, int layers, int heads, int mlpWidth, int vocabulary) {

  private static final List<GpuModel> ALL =
      List.of(
          new GpuModel("gpt2", true, 768, 12, 12, 3072, 50304),
          new GpuModel("llama130m", false, 768, 12, 12, 2048, 32000),
          new GpuModel("llama350m", false, 1024, 24, 16, 2736, 32000),
          new GpuModel("llama1b", false, 2048, 24, 32, 5464, 32000),
          // A step of few milliseconds: what the host costs shows here first.
          new GpuModel("tiny", false, 256, 4, 4, 704, 2048));

  static GpuModel named(String name) {
    return ALL.stream()
        .filter(model -> model.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "model: expected one of "
                        + ALL.stream().map(GpuModel::name).toList()
                        + ", found "
                        + name));
  }

  /** A forward pass sees at most {@code context} tokens. */
  ModelFamily family(int context) {
    Optional<Integer> mlp = Optional.of(mlpWidth);
    Optional<Integer> rows = Optional.of(vocabulary);
    Optional<Integer> unset = Optional.empty();
    return gpt2
        ? new Gpt2(width, layers, heads, mlp, rows, context, true, 0.02, 1e-5)
        : new Llama(
            width, layers, heads, unset, unset, mlp, rows, context, false, 0.02, 10000, 1e-5);
  }

  /**
   * The sentences of a step over {@code micro} sequences of {@code sequence} tokens, as a run on a
   * GPU takes them: gradients of matrices in bf16.
   */
  StepGraphs graphs(int micro, int sequence, double lr) {
    return graphs(micro, sequence, lr, false);
  }

  /** The same, where {@code masked} with examples that do not see each other. */
  StepGraphs graphs(int micro, int sequence, double lr, boolean masked) {
    AdamW rule = new AdamW(lr, 0.9, 0.95, 1e-8, 0.1, 1.0);
    StepShape shape = new StepShape(Math.multiplyExact(micro, sequence), sequence, masked, 1, 1);
    return new StepGraphs(family(sequence), new Full(), rule, shape).withNarrowGradients();
  }
}
