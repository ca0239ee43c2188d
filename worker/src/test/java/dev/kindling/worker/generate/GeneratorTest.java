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
          64,
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

  private static int[] sample(Generator generator, Sampling sampling, int tokens) {
    return generator.sample(new int[] {3, 1, 4}, tokens, sampling, 11, -1);
  }

  @Test
  void sameSeedSameTextAndOtherSeedOtherText() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      int[] text = sample(generator, Sampling.of(1.0, 7), 40);
      assertThat(text).hasSize(40).containsExactly(sample(generator, Sampling.of(1.0, 7), 40));
      assertThat(text).isNotEqualTo(sample(generator, Sampling.of(1.0, 8), 40));
      assertThat(Arrays.stream(text).boxed()).allMatch(id -> id >= 0 && id < 11);
    }
  }

  @Test
  void theLengthOfTheWindowDoesNotMatter() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator wide = filled(backend, 64);
        Generator narrow = filled(backend, 4)) {
      int[] text = new int[60];
      Arrays.setAll(text, i -> i * 7 % 11);
      // 32 and 64 tokens hold the first 32; the 64 of the wide one hold the other.
      float[] a = logits(wide, text, 4);
      float[] b = logits(narrow, text, 4);
      for (int i = 0; i < a.length; i++) {
        assertThat(a[i]).isEqualTo(b[i], within(1e-5f));
      }
      int[] head = Arrays.copyOf(text, 32);
      float[] shorter = logits(wide, head, 32);
      try (Generator whole = filled(backend, 40)) {
        int[] tail = {text[28], text[29], text[30], text[31]};
        assertThat(logits(narrow, text, 32)).isEqualTo(logits(narrow, tail, 4));
        float[] same = logits(whole, text, 32);
        for (int i = 0; i < same.length; i++) {
          assertThat(shorter[i]).isEqualTo(same[i], within(1e-5f));
        }
      }
      assertThat(logits(wide, text, 33)).isNotEqualTo(shorter);
    }
  }

  private static float[] logits(Generator generator, int[] text, int place) {
    float[] logits = new float[11];
    generator.forward(text, place, logits);
    return logits;
  }

  @Test
  void theEndOfADocumentAndUnusedRowsAreRespected() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      int[] free = sample(generator, Sampling.of(2.0, 5), 60);
      int end = free[7];
      int[] ended = generator.sample(new int[] {3, 1, 4}, 60, Sampling.of(2.0, 5), 11, end);
      assertThat(ended).hasSizeLessThanOrEqualTo(7).doesNotContain(end);
      assertThat(ended).containsExactly(Arrays.copyOf(free, ended.length));
      int[] few = generator.sample(new int[] {3, 1, 4}, 60, Sampling.of(2.0, 5), 2, -1);
      assertThat(few).containsOnly(0, 1);
    }
  }

  @Test
  void drawsFollowTheSoftmaxAndItsCuts() {
    float[] logits = {0f, 1f, 3f, 3f, -2f};
    assertThat(new TokenChoice(Sampling.greedy()).pick(logits, 0)).isEqualTo(2);
    double[] weights = new double[logits.length];
    for (int i = 0; i < logits.length; i++) {
      weights[i] = Math.exp(logits[i] / 2.0);
    }
    follows(logits, new Sampling(2.0, 0, 1, 99), weights);
    follows(
        logits,
        new Sampling(2.0, 3, 1, 98),
        new double[] {0, weights[1], weights[2], weights[3], 0});
    // The two likeliest hold 72 in 100.
    follows(logits, new Sampling(2.0, 0, 0.7, 97), new double[] {0, 0, weights[2], weights[3], 0});
  }

  private static void follows(float[] logits, Sampling sampling, double[] weights) {
    int draws = 20_000;
    int[] counts = new int[logits.length];
    TokenChoice choice = new TokenChoice(sampling);
    for (int place = 0; place < draws; place++) {
      counts[choice.pick(logits, place)]++;
    }
    double sum = Arrays.stream(weights).sum();
    for (int i = 0; i < logits.length; i++) {
      double expected = weights[i] / sum;
      assertThat(counts[i] / (double) draws)
          .isEqualTo(expected, within(weights[i] == 0 ? 0 : 0.02));
    }
  }

  @Test
  void badPromptsAndSettingsAreRefused() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      assertThatThrownBy(() -> generator.sample(new int[0], 1, Sampling.greedy(), 11, -1))
          .isInstanceOf(PlanException.class);
      assertThatThrownBy(() -> generator.sample(new int[] {11}, 1, Sampling.greedy(), 11, -1))
          .isInstanceOf(PlanException.class)
          .hasMessage("prompt: expected token ids below 11, found 11");
    }
    assertThatThrownBy(() -> new Sampling(-1, -2, 0, 1))
        .hasMessage(
            "temperature: expected a number of 0 or more, found -1.0\n"
                + "top_k: expected 0 or more, found -2\n"
                + "top_p: expected a number in (0, 1], found 0.0");
  }

  @Test
  void textForATerminalHoldsNoControlCharacters() {
    assertThat(LoadedModel.printable("a\u001b[2J\tb\r\n\u0000"))
        .isEqualTo("a\uFFFD[2J\tb\r\n\uFFFD");
  }
}
