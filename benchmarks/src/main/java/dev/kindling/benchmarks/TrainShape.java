package dev.kindling.benchmarks;

import java.util.List;

/**
 * A model and batch that both sides of {@code bench cpu-train} run.
 *
 * @param gpt2 GPT-2 (LayerNorm, GELU, biases, tied head), else Llama (RMSNorm, SwiGLU, RoPE)
 * @param microTokens tokens of a step, whole sequences
 */
record TrainShape(
    String name,
    boolean gpt2,
    int width,
    int layers,
    int heads,
    int mlpWidth,
    int vocabulary,
    int microTokens,
    int sequence) {

  /** The quickstart's shape (1.3 M parameters) and one of 25 M at 256 tokens. */
  static final List<TrainShape> ALL =
      List.of(
          new TrainShape("quickstart", false, 128, 6, 4, 384, 256, 1024, 256),
          new TrainShape("gpt2-25m", true, 512, 8, 8, 2048, 256, 1024, 256));

  static TrainShape named(String name) {
    return ALL.stream()
        .filter(shape -> shape.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("unknown shape " + name));
  }
}
