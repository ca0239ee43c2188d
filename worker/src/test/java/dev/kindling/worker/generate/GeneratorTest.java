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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
    return filled(backend, window, 1);
  }

  private static Generator filled(Backend backend, int window, int sequences) {
    Generator generator = new Generator(MODEL, window, sequences, backend);
    for (Param param : generator.params()) {
      Span weight = generator.weight(param.name());
      for (long i = 0; i < param.shape().elements(); i++) {
        weight.putFloat(i, (float) (0.5 * Philox.normal(param.name().hashCode(), i)));
      }
    }
    return generator;
  }

  private static int[] sample(Generator generator, Sampling sampling, int tokens) {
    return sample(generator, tokens, sampling, 11, -1, 3, 1, 4);
  }

  private static int[] sample(
      Generator generator, int tokens, Sampling sampling, int choices, int end, int... prompt) {
    SampleRequest request = SampleRequest.of(prompt, tokens, sampling, choices, end);
    return generator.sample(request, (index, id) -> {}).get(0);
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
    generator.forward(text, place, Window.NOT_KEPT, logits);
    return logits;
  }

  @Test
  void theEndOfADocumentAndUnusedRowsAreRespected() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      int[] free = sample(generator, Sampling.of(2.0, 5), 60);
      int end = free[7];
      int[] ended = sample(generator, 60, Sampling.of(2.0, 5), 11, end, 3, 1, 4);
      assertThat(ended).hasSizeLessThanOrEqualTo(7).doesNotContain(end);
      assertThat(ended).containsExactly(Arrays.copyOf(free, ended.length));
      int[] few = sample(generator, 60, Sampling.of(2.0, 5), 2, -1, 3, 1, 4);
      assertThat(few).containsOnly(0, 1);
    }
  }

  /** Sequences end at different places, beyond the context too, and four share three rooms. */
  @Test
  void promptsSampledTogetherGiveWhatEachGivesAlone() {
    List<int[]> prompts =
        List.of(new int[] {3, 1, 4}, new int[] {5}, new int[45], new int[] {9, 2, 6, 5, 3});
    Sampling sampling = Sampling.of(0.7, 11);
    try (Backend backend = Backend.cpu(new CpuOptions(2, MatmulKind.JAVA));
        Generator alone = filled(backend, 40, 1);
        Generator together = filled(backend, 40, 3)) {
      List<List<Integer>> heard = new ArrayList<>();
      prompts.forEach(prompt -> heard.add(new ArrayList<>()));
      List<int[]> texts =
          together.sample(
              new SampleRequest(prompts, 50, sampling, 11, 7), (p, id) -> heard.get(p).add(id));
      for (int i = 0; i < prompts.size(); i++) {
        assertThat(texts.get(i)).isEqualTo(sample(alone, 50, sampling, 11, 7, prompts.get(i)));
        assertThat(heard.get(i))
            .containsExactlyElementsOf(Arrays.stream(texts.get(i)).boxed().toList());
      }
      assertThat(together.sample(new SampleRequest(List.of(), 5, sampling, 11, 7), (p, id) -> {}))
          .isEmpty();
    }
  }

  @Test
  void badPromptsAndSettingsAreRefused() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = filled(backend, 8)) {
      assertThatThrownBy(() -> sample(generator, 1, Sampling.greedy(), 11, -1))
          .isInstanceOf(PlanException.class);
      assertThatThrownBy(() -> sample(generator, 1, Sampling.greedy(), 11, -1, 11))
          .isInstanceOf(PlanException.class)
          .hasMessage("prompt: expected token ids below 11, found 11");
      SampleRequest two =
          new SampleRequest(List.of(new int[] {1}, new int[] {-1}), 1, Sampling.greedy(), 11, -1);
      assertThatThrownBy(() -> generator.sample(two, (index, id) -> {}))
          .isInstanceOf(PlanException.class)
          .hasMessage("prompt 1: expected token ids below 11, found -1");
      assertThatThrownBy(() -> new Generator(MODEL, 8, 0, backend))
          .isInstanceOf(PlanException.class)
          .hasMessage("sequences: expected 1 or more, found 0");
    }
    assertThatThrownBy(() -> new Sampling(-1, -2, 0, 1))
        .hasMessage(
            "temperature: expected a number of 0 or more, found -1.0\n"
                + "top_k: expected 0 or more, found -2\n"
                + "top_p: expected a number in (0, 1], found 0.0");
  }
}
