package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GeneratorTest {
  private static final ModelFamily MODEL =
      new Llama(
          16,
          2,
          2,
          Optional.empty(),
          Optional.empty(),
          Optional.of(32),
          Optional.of(11),
          8,
          true,
          0.3,
          10000.0,
          1e-5);

  private static Generator filled(Backend backend, int window) {
    Generator generator = new Generator(MODEL, window, backend);
    for (Param param : generator.params()) {
      Span weight = generator.weight(param.name());
      for (long i = 0; i < param.shape().elements(); i++) {
        weight.putFloat(i, (float) (0.5 * Philox.normal(param.name().hashCode(), i)));
      }
    }
    return generator;
  }

  @Test
  void sameSeedSameTextAndOtherSeedOtherText() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      int[] prompt = {3, 1, 4};
      int[] text = generator.sample(prompt, 40, 7, 1.0);
      assertThat(text).hasSize(40).containsExactly(generator.sample(prompt, 40, 7, 1.0));
      assertThat(text).isNotEqualTo(generator.sample(prompt, 40, 8, 1.0));
      assertThat(Arrays.stream(text).boxed()).allMatch(id -> id >= 0 && id < 11);
    }
  }

  @Test
  void whatFollowsTheTextInTheWindowDoesNotMatter() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator wide = filled(backend, 8);
        Generator narrow = filled(backend, 4)) {
      int[] text = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
      float[] a = wide.logits(text, 4);
      float[] b = narrow.logits(text, 4);
      for (int i = 0; i < a.length; i++) {
        assertThat(a[i]).isEqualTo(b[i], within(1e-5f));
      }
      // Beyond the window only the last tokens count.
      int[] last = {1, 5, 9, 2};
      assertThat(narrow.logits(text, 7)).isEqualTo(narrow.logits(last, 4));
    }
  }

  @Test
  void temperatureZeroIsTheLikeliestAndDrawsFollowTheSoftmax() {
    float[] logits = {0f, 1f, 3f, 3f, -2f};
    assertThat(Generator.likeliest(logits)).isEqualTo(2);
    int draws = 20_000;
    int[] counts = new int[logits.length];
    for (int place = 0; place < draws; place++) {
      counts[Generator.draw(logits, 2.0, 99, place)]++;
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit / 2.0);
    }
    for (int i = 0; i < logits.length; i++) {
      double expected = Math.exp(logits[i] / 2.0) / sum;
      assertThat(counts[i] / (double) draws).isEqualTo(expected, within(0.02));
    }
  }

  @Test
  void badPromptsAreRefused() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      assertThatThrownBy(() -> generator.sample(new int[0], 1, 1, 1))
          .isInstanceOf(PlanException.class);
      assertThatThrownBy(() -> generator.sample(new int[] {11}, 1, 1, 1))
          .isInstanceOf(PlanException.class)
          .hasMessage("prompt: expected token ids below 11, found 11");
    }
  }
}
