package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.None;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.model.Weight;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps of tiny models with adapters. */
class AdapterTrainingTest {
  static List<ModelFamily> families() {
    return AdaptedRank.families();
  }

  @ParameterizedTest
  @MethodSource("families")
  void anAdapterBeginsAtTheBase(ModelFamily model) {
    try (AdaptedRank full = new AdaptedRank(model, new Full())) {
      float base = full.evaluate(3);
      for (Adapter adapter :
          List.of(AdaptedRank.lora(4, 8, 0.5, List.of()), AdaptedRank.paca(3, 5))) {
        try (AdaptedRank rank = new AdaptedRank(model, adapter)) {
          assertThat(rank.evaluate(3)).as("%s", adapter).isEqualTo(base);
        }
      }
      full.prune(model);
      base = full.evaluate(3);
      for (Adapter adapter :
          List.of(AdaptedRank.maskLora(4, 8, List.of()), AdaptedRank.perp(4, 0, 8))) {
        try (AdaptedRank rank = new AdaptedRank(model, adapter)) {
          assertThat(rank.evaluate(3)).as("%s", adapter).isEqualTo(base);
        }
      }
    }
    try (AdaptedRank full = new AdaptedRank(model, new Full())) {
      float base = full.evaluate(3);
      try (AdaptedRank rank = new AdaptedRank(model, AdaptedRank.dora(4, 8, 0.5))) {
        assertThat(rank.evaluate(3)).isCloseTo(base, within(1e-5f * base));
      }
    }
  }

  /** The values of packed matrices come from a reading of their bytes that shares no table. */
  @ParameterizedTest
  @MethodSource("families")
  void overFourBitsAnAdapterBeginsAtWhatTheBaseUnpacksTo(ModelFamily model) {
    try (AdaptedRank full = new AdaptedRank(model, new Full())) {
      float before = full.evaluate(3);
      Adapter lora = AdaptedRank.nf4(AdaptedRank.lora(4, 8, 0.5, List.of()));
      Adapter paca = AdaptedRank.nf4(AdaptedRank.paca(3, 5));
      Adapter dora = AdaptedRank.nf4(AdaptedRank.dora(4, 8, 0.5));
      try (AdaptedRank rank = new AdaptedRank(model, lora)) {
        assertThat(rank.unpacked()).isNotEmpty();
        rank.unpacked().forEach(full::put);
      }
      float base = full.evaluate(3);
      assertThat(base).isNotEqualTo(before).isCloseTo(before, within(0.2f * before));
      for (Adapter adapter : List.of(lora, paca, dora)) {
        try (AdaptedRank rank = new AdaptedRank(model, adapter)) {
          assertThat(rank.evaluate(3)).as("%s", adapter).isCloseTo(base, within(1e-5f * base));
        }
      }
    }
  }

  static Stream<Arguments> trained() {
    List<Adapter> adapters =
        List.of(
            new Frozen(List.of(".*(norm|ln_1|ln_2|layernorm)")),
            AdaptedRank.lora(2, 4, 0.25, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.dora(2, 4, 0),
            AdaptedRank.paca(3, 6),
            AdaptedRank.maskLora(2, 4, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.perp(2, 0, 4),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0.25, List.of(".*(o_proj|c_proj)"))),
            AdaptedRank.nf4(AdaptedRank.dora(2, 4, 0)),
            AdaptedRank.nf4(AdaptedRank.paca(3, 6)));
    return families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  @ParameterizedTest
  @MethodSource("trained")
  void frozenWeightsKeepTheirBitsAndTrainedOnesDoNot(ModelFamily model, Adapter adapter) {
    try (AdaptedRank rank = new AdaptedRank(model, adapter)) {
      Map<String, float[]> before = rank.params();
      Map<String, float[]> packed = rank.unpacked();
      for (int step = 0; step < 20; step++) {
        rank.step(step);
      }
      rank.unpacked().forEach((name, now) -> assertThat(now).as(name).isEqualTo(packed.get(name)));
      Map<String, float[]> after = rank.params();
      for (Param param : rank.program().params()) {
        float[] old = Objects.requireNonNull(before.get(param.name()));
        float[] now = Objects.requireNonNull(after.get(param.name()));
        if (param.demand() instanceof None) {
          assertThat(now).as(param.name()).isEqualTo(old);
        } else {
          assertThat(now).as(param.name()).isNotEqualTo(old);
        }
        if (param.demand() instanceof Columns columns) {
          columnsAlone(rank, param, columns, old, now);
        }
      }
    }
  }

  private static void columnsAlone(
      AdaptedRank rank, Param param, Columns columns, float[] old, float[] now) {
    TrainedColumns trained = rank.program().projection().columns(param).orElseThrow();
    float[] base = rank.read(trained.base().name());
    float[] delta = rank.read(trained.delta().name());
    boolean outIn = trained.layout() == WeightLayout.OUT_IN;
    int width = param.shape().dim(1);
    int count = columns.indices().size();
    for (int i = 0; i < now.length; i++) {
      int in = outIn ? i % width : i / width;
      int out = outIn ? i / width : i % width;
      int k = columns.indices().indexOf(in);
      int at = outIn ? out * count + k : k * width + out;
      float expected = k < 0 ? old[i] : base[at] + trained.scale() * delta[at];
      assertThat(now[i]).as("%s element %d", param.name(), i).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void dropoutFollowsThePlaceInTheRunAndSparesEvaluation(ModelFamily model) {
    try (AdaptedRank dropping = new AdaptedRank(model, AdaptedRank.lora(4, 8, 0.5, List.of()));
        AdaptedRank plain = new AdaptedRank(model, AdaptedRank.lora(4, 8, 0, List.of()))) {
      for (AdaptedRank rank : List.of(dropping, plain)) {
        for (Param param : rank.program().params()) {
          if (param.name().endsWith(Branch.UP)) {
            rank.stir(param, 0.3);
          }
        }
      }
      assertThat(dropping.evaluate(1)).isEqualTo(plain.evaluate(1));
      float loss = dropping.accumulate(1);
      assertThat(loss).isNotEqualTo(plain.accumulate(1)).isEqualTo(dropping.accumulate(1));
      dropping.program().memory().clear(Role.GRADIENT);
      dropping.write(1);
      dropping.program().inputs().place(1L << 33);
      dropping.program().accumulate();
      dropping.program().memory().await(0);
      assertThat(dropping.read("loss_sum")[0]).isNotEqualTo(loss);
    }
  }

  static Stream<Arguments> trajectories() {
    List<Arguments> all =
        List.of(
            Arguments.of(AdaptedRank.lora(2, 3, 0, List.of()), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.dora(2, 3, 0), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.maskLora(2, 3, List.of()), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.perp(0, 0, 3), 0, 0.0),
            Arguments.of(AdaptedRank.perp(2, 0, 3), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.perp(2, 2, 3), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.paca(3, 6), 3, 2.0),
            Arguments.of(
                AdaptedRank.nf4(AdaptedRank.lora(2, 3, 0, List.of())), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.nf4(AdaptedRank.dora(2, 3, 0)), 2, 3 / Math.sqrt(2)),
            Arguments.of(AdaptedRank.nf4(AdaptedRank.paca(3, 6)), 3, 2.0));
    return families().stream()
        .flatMap(
            family ->
                all.stream()
                    .filter(
                        a ->
                            hasHead(family)
                                || !(a.get()[0] instanceof Perp perp && perp.headRank() > 0))
                    .map(a -> Arguments.of(family, a.get()[0], a.get()[1], a.get()[2])));
  }

  /** Whether the head is a matrix of its own. */
  private static boolean hasHead(ModelFamily family) {
    return Modules.of(family).maps().stream().anyMatch(map -> map.name().equals(Weight.HEAD));
  }

  @ParameterizedTest
  @MethodSource("trajectories")
  void aHundredStepsFollowTheDenseReference(
      ModelFamily model, Adapter adapter, int rank, double scale) {
    try (AdaptedRank adapted = new AdaptedRank(model, adapter);
        DenseReference reference = new DenseReference(model, adapter, rank, scale, adapted)) {
      if (adapter instanceof Perp perp) {
        assertThat(reference.trained().keySet()).isEqualTo(trainedBy(perp, model));
      }
      for (int step = 0; step < 100; step++) {
        double expected = reference.step(step % 7);
        assertThat((double) adapted.step(step % 7).lossSum())
            .as("step %d seed %d", step, AdaptedRank.SEED)
            .isCloseTo(expected, within(2e-4 * Math.max(1, expected)));
      }
      reference
          .trained()
          .forEach(
              (name, expected) -> {
                float[] found = adapted.read(name);
                double error = 0;
                double size = 0;
                for (int i = 0; i < expected.length; i++) {
                  if (decidesNothing(name, i, expected.length)) {
                    continue;
                  }
                  error += Math.pow(found[i] - expected[i], 2);
                  size += expected[i] * expected[i];
                }
                assertThat(Math.sqrt(error / size)).as(name).isLessThan(2e-3);
              });
    }
  }

  /** PERP's words: biases, gains of norms, factors of maps and of the head. */
  private static Set<String> trainedBy(Perp perp, ModelFamily model) {
    Set<String> names = new HashSet<>();
    for (Param param : model.parameters()) {
      if (param.name().matches(".*(bias|(norm|ln_1|ln_2|ln_f)\\.weight)")) {
        names.add(param.name());
      }
    }
    for (Weight map : Modules.of(model).maps()) {
      int rank = map.name().equals(Weight.HEAD) ? perp.headRank() : perp.rank();
      if (rank > 0) {
        names.add(map.name() + ".lora_A.weight");
        names.add(map.name() + ".lora_B.weight");
      }
    }
    return names;
  }

  /**
   * The middle third of GPT-2's bias of queries, keys and values adds one number to all scores of a
   * query: its gradient is zero but for rounding, which AdamW makes steps of the full rate.
   */
  private static boolean decidesNothing(String name, int i, int width) {
    return name.endsWith("c_attn.bias") && i >= width / 3 && i < width / 3 * 2;
  }

  @Test
  void whatDoesNotFitIsSaidByNameBeforeTheFirstStep() {
    ModelFamily model = families().get(2);
    Lora wrong =
        new Lora(
            9,
            8,
            false,
            0,
            List.of("q_prj", "v_proj"),
            List.of(),
            Map.of("o_proj", 3),
            Map.of(),
            List.of("embed_tokns"),
            Optional.empty());
    assertThatThrownBy(() -> wrong.projection(model, 1))
        .hasMessageContaining("adapter.targets: expected a linear map of the model or all-linear")
        .hasMessageContaining("q_prj (nearest: q_proj)")
        .hasMessageContaining("adapter.modules_to_save")
        .hasMessageContaining("embed_tokns (nearest: embed_tokens)");
    assertThatThrownBy(() -> AdaptedRank.lora(9, 8, 0, List.of()).projection(model, 1))
        .hasMessageContaining(
            "adapter.rank: expected at most 8 for model.layers.0.self_attn.q_proj")
        .hasMessageContaining("found 9");
    assertThatThrownBy(() -> AdaptedRank.paca(13, 8).projection(model, 1))
        .hasMessageContaining("adapter.rank: expected at most the 8 columns");
    assertThatThrownBy(
            () ->
                new MaskLora(
                    2, 4, false, 0.1, List.of("q_proj"), List.of(), Map.of(), Map.of(), List.of()))
        .hasMessageContaining("dropout: expected 0 with mask_lora")
        .hasMessageContaining("found 0.1");
    assertThatThrownBy(() -> AdaptedRank.perp(0, 2, 8).projection(families().get(0), 1))
        .hasMessageContaining("adapter.head_rank: expected 0 for a head that is the embeddings");
    Expectation errors = new Expectation();
    new Frozen(List.of()).check(model, errors);
    assertThatThrownBy(errors::orThrow).hasMessageContaining("adapter.modules_to_save");
  }
}
