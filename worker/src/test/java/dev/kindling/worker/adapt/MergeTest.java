package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters that were trained for some steps, as plain weights and as LoRA factors. */
class MergeTest {
  static Stream<Arguments> combinations() {
    List<Adapter> adapters =
        List.of(
            new Full(),
            new Frozen(List.of(".*(norm|ln_1)")),
            AdaptedRank.lora(2, 4, 0, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.dora(2, 4, 0),
            AdaptedRank.paca(3, 6),
            AdaptedRank.maskLora(2, 4, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.perp(2, 0, 4),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0, List.of(".*(o_proj|c_proj)"))),
            AdaptedRank.nf4(AdaptedRank.dora(2, 4, 0)),
            AdaptedRank.nf4(AdaptedRank.paca(3, 6)));
    return AdaptedRank.families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  private static FirstValues trained(AdaptedRank rank) {
    return (param, from, target) -> {
      float[] values = rank.read(param.name());
      for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
        target.putFloat(i, values[(int) from + i]);
      }
    };
  }

  private static AdaptedRank trainedRank(ModelFamily model, Adapter adapter) {
    AdaptedRank rank = new AdaptedRank(model, adapter);
    for (int step = 0; step < 10; step++) {
      rank.step(step);
    }
    return rank;
  }

  private static float[] read(FirstValues values, Param param) {
    try (Span span = Span.allocate(param.type().bytes())) {
      values.fill(param, 0, span);
      return span.toFloats();
    }
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void mergedWeightsComputeTheSame(ModelFamily model, Adapter adapter) {
    try (AdaptedRank rank = trainedRank(model, adapter);
        AdaptedRank plain = new AdaptedRank(model, new Full())) {
      FirstValues merged =
          rank.program().projection().merged(AdaptedRank.base(model, adapter), trained(rank));
      for (Param param : plain.program().params()) {
        plain.put(param.name(), read(merged, param));
      }
      float expected = rank.evaluate(4);
      assertThat(plain.evaluate(4)).isCloseTo(expected, within(2e-5f * expected));
      for (Param param : rank.program().params()) {
        if (param.demand() instanceof Columns) {
          assertThat(plain.read(param.name())).isEqualTo(rank.read(param.name()));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void whatIsPrunedStaysZeroAndNothingElseBecomesIt(ModelFamily model, Adapter adapter) {
    assumeThat(AdaptedRank.prunes(adapter)).isTrue();
    FirstValues base = AdaptedRank.base(model, adapter);
    try (AdaptedRank rank = trainedRank(model, adapter)) {
      FirstValues merged = rank.program().projection().merged(base, trained(rank));
      for (Weight weight : Modules.of(model).maps()) {
        float[] before = read(base, weight.matrix());
        float[] after = read(merged, weight.matrix());
        if (!weight.name().equals(Weight.HEAD)) {
          assertThat(after).as(weight.name()).isNotEqualTo(before);
        }
        for (int i = 0; i < after.length; i++) {
          assertThat(after[i] == 0).as("%s %d", weight.name(), i).isEqualTo(before[i] == 0);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void aPieceOfAMergedWeightIsTheSameAsInTheWhole(ModelFamily model, Adapter adapter) {
    try (AdaptedRank rank = trainedRank(model, adapter)) {
      FirstValues merged =
          rank.program().projection().merged(AdaptedRank.base(model, adapter), trained(rank));
      for (Param param : model.parameters()) {
        float[] whole = read(merged, param);
        int from = whole.length / 3;
        try (Span piece = Span.allocate((long) (whole.length - from) * Float.BYTES)) {
          merged.fill(param, from, piece);
          for (int i = 0; i < whole.length - from; i++) {
            assertThat(piece.getFloat(i)).as(param.name()).isEqualTo(whole[from + i]);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void theLoraFormComputesTheSame(ModelFamily model, Adapter adapter) {
    try (AdaptedRank rank = trainedRank(model, adapter)) {
      Projection own = rank.program().projection();
      if (LoraForm.of(own, trained(rank)).isEmpty()) {
        assertThat(adapter).isInstanceOfAny(Full.class, Frozen.class, MaskLora.class, Perp.class);
        return;
      }
      LoraForm form = LoraForm.of(own, trained(rank)).orElseThrow();
      try (AdaptedRank lora = new AdaptedRank(model, form.projection(), AdaptedRank.RULE)) {
        for (Param param : lora.program().params()) {
          if (param.demand() instanceof dev.kindling.kernels.graph.Whole) {
            lora.put(param.name(), read(form.values(), param));
          }
        }
        float expected = rank.evaluate(4);
        assertThat(lora.evaluate(4)).isCloseTo(expected, within(2e-5f * expected));
      }
    }
  }
}
