package dev.kindling.benchmarks;

import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import java.util.List;
import java.util.Optional;

/**
 * Models that {@code bench gpu-mezo} and {@code bench gpu-adapters} train; {@code 1b} and {@code
 * 8b} are those of the peer in PyTorch, {@code 30b} is LLaMA's, {@code 70b} Llama 3's.
 */
record MezoShape(
    String name,
    int width,
    int layers,
    int heads,
    int kvHeads,
    int mlpWidth,
    int vocabulary,
    boolean tied) {
  private static final List<MezoShape> ALL =
      List.of(
          new MezoShape("tiny", 256, 4, 4, 2, 704, 2048, false),
          new MezoShape("1b", 2048, 16, 32, 8, 8192, 128_256, true),
          new MezoShape("8b", 4096, 32, 32, 8, 14_336, 128_256, false),
          new MezoShape("30b", 6656, 60, 52, 52, 17_920, 32_000, false),
          new MezoShape("70b", 8192, 80, 64, 8, 28_672, 128_256, false));

  static MezoShape named(String name) {
    return ALL.stream()
        .filter(shape -> shape.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "model: expected one of "
                        + ALL.stream().map(MezoShape::name).toList()
                        + ", found "
                        + name));
  }

  ModelFamily family(int context) {
    Optional<Integer> mlp = Optional.of(mlpWidth);
    Optional<Integer> rows = Optional.of(vocabulary);
    return new Llama(
        width,
        layers,
        heads,
        Optional.of(kvHeads),
        Optional.empty(),
        mlp,
        rows,
        context,
        tied,
        0.02,
        10000,
        1e-5);
  }
}
