package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.worker.adapt.Base;
import dev.kindling.worker.model.Llama;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What large models with adapters would reserve on an H100, by the planner that runs use there. */
class AdapterShapeTest {
  private static final Recompute.Level NONE = Recompute.Level.NONE;
  private static final Recompute.Level BLOCKS = Recompute.Level.BLOCKS;

  private static CudaBytes bytes(
      String model, int batch, String type, int rank, Base base, Recompute.Level level) {
    AdapterShape shape = new AdapterShape(MezoShape.named(model), type, rank, base, level, 8, 0);
    return AdapterShape.planned(shape.graphs(batch, 1024));
  }

  @Test
  void halfOfTheGroupsAndChannelsOf8BillionWeightsTakesThreeTenthsOffLora() {
    AdapterShape half =
        new AdapterShape(MezoShape.named("8b"), "lora", 8, Base.PLAIN, NONE, 8, 0.5);
    Llama left = (Llama) half.family(1024);
    assertThat(left.heads()).isEqualTo(16);
    assertThat(left.kvHeads()).contains(4);
    assertThat(left.headDim()).contains(128);
    assertThat(left.mlpWidth()).contains(7168);
    assertThat(left.width()).isEqualTo(4096);
    long embeddings = 2L * 128_256 * 4096;
    long maps = 32L * 4096 * (2 * 16 * 128 + 2 * 4 * 128 + 3 * 7168);
    assertThat(left.parameterCount()).isEqualTo(embeddings + maps + 65L * 4096);
    long whole = bytes("8b", 4, "lora", 8, Base.PLAIN, NONE).total();
    long pruned = AdapterShape.planned(half.graphs(4, 1024)).total();
    assertThat((double) pruned / whole).isLessThan(0.7);
  }

  @Test
  void pacaOf8BillionWeightsNeedsATenthLessThanLoraWhereActivationsAreKept() {
    long lora = bytes("8b", 4, "lora", 8, Base.PLAIN, NONE).total();
    long paca = bytes("8b", 4, "paca", 16, Base.PLAIN, NONE).total();
    assertThat((double) paca).isLessThan(0.9 * lora);
    assertThat(lora).isLessThan(40_000_000_000L);
  }

  @Test
  void eightBillionWeightsOfFourBitsFit14Gigabytes() {
    CudaBytes bytes = bytes("8b", 4, "lora", 8, Base.NF4, BLOCKS);
    long hidden = 32L * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 4096 * 14_336);
    double packed = bytes.variables().getOrDefault(Role.FROZEN, 0L);
    assertThat(packed).isBetween(4.126 / 8 * hidden, 4.128 / 8 * hidden);
    // A context takes half a gigabyte beside it.
    assertThat(bytes.total()).isLessThan(13_500_000_000L);
  }

  @Test
  void seventyBillionWeightsOfFourBitsWithTrainedColumnsFit60Gigabytes() {
    CudaBytes bytes = bytes("70b", 1, "paca", 64, Base.NF4, BLOCKS);
    assertThat(bytes.total()).isBetween(36_000_000_000L, 59_000_000_000L);
    // One unpacked matrix is 470 MB; of the 560 no two are kept.
    assertThat(bytes.activations()).isLessThan(3_000_000_000L);
  }

  @Test
  void wordsThatMeanNothingAreRefused() {
    Map<String, String> words = Map.of("adapter", "lora", "rank", "8", "base", "int4");
    MezoShape tiny = MezoShape.named("tiny");
    assertThatThrownBy(() -> AdapterShape.of(tiny, BenchOptions.of(List.of(), words)))
        .hasMessageContaining("--base: expected bf16 or nf4, found int4");
    AdapterShape unknown = new AdapterShape(tiny, "loha", 8, Base.PLAIN, NONE, 1, 0);
    assertThatThrownBy(() -> unknown.graphs(1, 64))
        .hasMessageContaining("--adapter: expected lora, dora or paca, found loha");
    assertThatThrownBy(() -> new AdapterShape(tiny, "lora", 8, Base.PLAIN, NONE, 1, 1))
        .hasMessageContaining("--pruned: expected a share from 0 to below 1, found 1.0");
  }
}
