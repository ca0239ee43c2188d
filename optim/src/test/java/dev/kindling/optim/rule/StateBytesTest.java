package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Test;

/** What each rule says that its state takes is what the allocators reserve, on both devices. */
class StateBytesTest {
  private static final Param TABLE = matrix("model.embed_tokens.weight", 512, 64);
  private static final Param QUERY = matrix("model.layers.0.self_attn.q_proj.weight", 128, 64);
  private static final Param DOWN = matrix("model.layers.0.mlp.down_proj.weight", 64, 192);
  private static final Param GAIN =
      new Param("model.norm.weight", Shape.of(64), Demand.whole(), Init.ones(), false);
  private static final List<Param> PARAMS = List.of(TABLE, QUERY, DOWN, GAIN);

  private static Param matrix(String name, int rows, int columns) {
    return new Param(name, Shape.of(rows, columns), Demand.whole(), Init.normal(1), true);
  }

  private static AdamW adam(AdamState state) {
    return new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, true, state);
  }

  private static long elements(Param p) {
    return p.shape().elements();
  }

  private static long sides(Param p, boolean shorter) {
    int rows = p.shape().dim(0);
    int columns = p.shape().dim(1);
    return shorter ? Math.min(rows, columns) : Math.max(rows, columns);
  }

  /** Bytes per parameter, as the docstrings give them. */
  private static Map<Optimizer, ToLongFunction<Param>> formulas() {
    AdamMini mini = new AdamMini(1e-3, 0.9, 0.95, 1e-8, Optional.of(16), 0.1, 1.0);
    Muon muon = new Muon(1e-3, 0.95, true, 5, MuonScale.MATCH_RMS, 0.1, 1.0, Optional.empty());
    Adafactor factored = new Adafactor(1e-3, 0.8, 1e-30, 1e-3, 1, false, false, 0, 1.0);
    Map<Optimizer, ToLongFunction<Param>> formulas = new LinkedHashMap<>();
    formulas.put(adam(AdamState.FP32), p -> 8 * elements(p));
    formulas.put(adam(AdamState.BF16), p -> 4 * elements(p));
    formulas.put(
        adam(AdamState.INT8),
        p ->
            p.equals(QUERY) || p.equals(DOWN)
                ? 2 * elements(p) + elements(p) / 32
                : 8 * elements(p));
    formulas.put(new Lion(1e-3, 0.9, 0.99, 0.1, 1.0), p -> 4 * elements(p));
    formulas.put(new Sgd(1e-3, 0, false, 0, 1.0), p -> 0);
    formulas.put(new Sgd(1e-3, 0.9, true, 0, 1.0), p -> 4 * elements(p));
    formulas.put(
        factored, p -> 4L * (p.shape().dim(0) + (p.shape().rank() == 2 ? p.shape().dim(1) : 1)));
    formulas.put(
        mini,
        p ->
            4 * elements(p)
                + 4L * (p.equals(GAIN) ? 1 : p.shape().dim(0) / (p.equals(QUERY) ? 16 : 1)));
    formulas.put(muon, p -> p.equals(QUERY) || p.equals(DOWN) ? 4 * elements(p) : 8 * elements(p));
    Galore galore = new Galore(1e-3, 0.9, 0.999, 1e-6, 0, 0, 16, 0.25, 200, 8, 0, Optional.empty());
    formulas.put(
        galore,
        p -> p.hidden() ? 4L * 16 * (sides(p, true) + 2 * sides(p, false)) + 4 : 8 * elements(p));
    formulas.put(
        new Groups(adam(AdamState.BF16), List.of(new Group("*norm*", factored))),
        p -> p.equals(GAIN) ? 4 * 65 : 4 * elements(p));
    return formulas;
  }

  @Test
  void everyRuleSaysItsFormula() {
    formulas()
        .forEach(
            (optimizer, formula) -> {
              for (Param p : PARAMS) {
                assertThat(optimizer.ruleOf(p).stateBytes(p, p.shape()))
                    .as("%s, %s", optimizer, p.name())
                    .isEqualTo(formula.applyAsLong(p));
              }
            });
  }

  /** Below 4,096 elements moments in 8 bits save nothing and cost accuracy: they stay in fp32. */
  @Test
  void momentsOfEightBitsBeginAtAsManyElementsAsPublished() {
    AdamW rule = adam(AdamState.INT8);
    Param below = matrix("model.layers.0.small.weight", 63, 65);
    Param at = matrix("model.layers.0.large.weight", 64, 64);
    assertThat(rule.stateBytes(below, below.shape())).isEqualTo(8 * 4095);
    assertThat(rule.stateBytes(at, at.shape())).isEqualTo(2 * 4096 + 2 * 4 * 4096 / 256);
  }

  @Test
  void theAllocatorsReserveIt() {
    for (Optimizer optimizer : formulas().keySet()) {
      long onCpu = 0;
      long onGpu = 0;
      for (Param p : PARAMS) {
        for (StateVariable variable : optimizer.ruleOf(p).state(p, p.shape())) {
          long padded = Span.aligned(variable.type().bytes());
          onCpu += padded;
          onGpu += padded / (variable.role().mayBeNarrow() ? 2 : 1);
        }
      }
      try (UpdateBench bench = new UpdateBench(optimizer, PARAMS)) {
        assertThat(bench.stateBytes()).as("%s on a CPU", optimizer).isEqualTo(onCpu);
        Graph graph = bench.graph();
        Map<Role, Long> reserved =
            CudaBytes.of(graph.variables(), List.of(graph), Precision.BF16, 132).variables();
        long found =
            reserved.getOrDefault(Role.STATE, 0L) + reserved.getOrDefault(Role.NARROW_STATE, 0L);
        // Each arena is a multiple of 128 bytes.
        assertThat(found).as("%s on a GPU", optimizer).isBetween(onGpu, onGpu + 127);
      }
    }
  }
}
