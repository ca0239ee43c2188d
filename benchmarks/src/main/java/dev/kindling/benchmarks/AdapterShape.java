package dev.kindling.benchmarks;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Base;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.Paca;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.prune.Criterion;
import dev.kindling.worker.prune.Shrinking;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * An adapter of all linear maps but the head, with AdamW.
 *
 * @param type lora, dora or paca
 * @param base how the frozen matrices are kept
 * @param recompute what backward computes a second time
 * @param lossChunks of the head and the loss
 * @param pruned share of the key-value groups and MLP channels that {@code prune --structured} took
 *     out before; 0 for the whole model
 */
record AdapterShape(
    MezoShape model,
    String type,
    int rank,
    Base base,
    Recompute.Level recompute,
    int lossChunks,
    double pruned) {

  AdapterShape {
    if (!(pruned >= 0 && pruned < 1)) {
      throw new IllegalArgumentException(
          "--pruned: expected a share from 0 to below 1, found " + pruned);
    }
  }

  static AdapterShape of(MezoShape model, BenchOptions options) {
    return new AdapterShape(
        model,
        options.text("adapter"),
        options.count("rank"),
        options.text("base").equals("nf4") ? Base.NF4 : plain(options.text("base")),
        Recompute.Level.valueOf(options.text("recompute").toUpperCase(Locale.ROOT)),
        options.count("chunks"),
        options.share("pruned"));
  }

  private static Base plain(String base) {
    if (!base.equals("bf16")) {
      throw new IllegalArgumentException("--base: expected bf16 or nf4, found " + base);
    }
    return Base.PLAIN;
  }

  /** Alpha is twice the rank. */
  private Adapter adapter() {
    List<String> all = List.of("all-linear");
    if (type.equals("paca")) {
      return new Paca(rank, 2.0 * rank, all, List.of(), Map.of(), List.of(), base);
    }
    Lora lora =
        new Lora(
            rank,
            2.0 * rank,
            false,
            0,
            all,
            List.of(),
            Map.of(),
            Map.of(),
            List.of(),
            base,
            Optional.empty(),
            Optional.empty());
    return switch (type) {
      case "lora" -> lora;
      case "dora" -> Dora.of(lora);
      default ->
          throw new IllegalArgumentException(
              "--adapter: expected lora, dora or paca, found " + type);
    };
  }

  /** The model whose maps are adapted. */
  ModelFamily family(int context) {
    ModelFamily whole = model.family(context);
    // Which ones go by magnitude takes weights to say; how many go does not.
    return pruned == 0 ? whole : new Shrinking(Criterion.MAGNITUDE, pruned, 0).smaller(whole);
  }

  /** The sentences of a step of {@code batch} sequences, as a run on a GPU takes them. */
  StepGraphs graphs(int batch, int sequence) {
    ModelFamily family = family(sequence);
    AdamW rule = new AdamW(1e-4, 0.9, 0.95, 1e-8, 0, 1.0);
    int tokens = Math.multiplyExact(batch, sequence);
    MemorySaving saving = new MemorySaving(recompute, lossChunks);
    StepShape shape = new StepShape(tokens, sequence, false, 1, 1, saving);
    return new StepGraphs(family, adapter().projection(family, 1), rule, shape)
        .withNarrowGradients();
  }

  /** Bytes that an H100 would reserve; asks no device. */
  static CudaBytes planned(StepGraphs graphs) {
    List<Graph> programs = graphs.programs();
    return CudaBytes.of(
        TrainStep.variables(programs), programs, Precision.BF16, CudaBytes.H100_MULTIPROCESSORS);
  }
}
