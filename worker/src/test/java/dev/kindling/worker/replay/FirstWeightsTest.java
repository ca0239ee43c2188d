package dev.kindling.worker.replay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Base;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FirstWeightsTest {
  private static final Optional<Integer> NONE = Optional.empty();
  private static final ModelFamily MODEL =
      new Llama(32, 1, 2, NONE, NONE, Optional.of(64), Optional.of(23), 8, false, 0.2, 1e4, 1e-5);
  private static final FirstValues BASE =
      (param, from, target) -> Initialization.fill(param, 7, from, target);

  /** The base with one element of one tensor doubled. */
  private static FirstValues but(String name, long element) {
    return (param, from, target) -> {
      BASE.fill(param, from, target);
      long place = element - from;
      if (param.name().equals(name) && place >= 0 && place < target.bytes() / Float.BYTES) {
        target.putFloat(place, 2 * target.getFloat(place));
      }
    };
  }

  private static String hash(Base base, FirstValues values) {
    Adapter lora =
        new Lora(
                2,
                4,
                false,
                0,
                List.of("all-linear"),
                List.of(),
                Map.of(),
                Map.of(),
                List.of(),
                none())
            .over(base);
    Mezo rule = new Mezo(1e-3, 1e-2, 1, 0, 0, true);
    StepShape shape = new StepShape(16, 8, false, 1);
    MezoStep step = new MezoStep(MODEL, lora.projection(MODEL, 7), rule, shape, 1, 7);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        StepProgram program =
            StepProgram.compile(step, backend, LoopbackCommunicator.create(1).get(0))) {
      program.fill(values);
      return FirstWeights.of(program);
    }
  }

  private static Optional<String> none() {
    return Optional.empty();
  }

  /** A hidden matrix of a packed base is no parameter; norms and the table still are. */
  @ParameterizedTest
  @EnumSource(Base.class)
  void everyTensorOfTheBaseCounts(Base base) {
    String whole = hash(base, BASE);
    assertThat(hash(base, BASE)).isEqualTo(whole).hasSize(64);
    for (String name :
        List.of(
            "model.layers.0.self_attn.q_proj.weight",
            "model.layers.0.mlp.down_proj.weight",
            "model.layers.0.input_layernorm.weight",
            "model.embed_tokens.weight",
            "lm_head.weight")) {
      assertThat(hash(base, but(name, 3))).as(name).isNotEqualTo(whole);
    }
  }
}
