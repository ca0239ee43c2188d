package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.model.Gpt2;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TextGeneratorTest {
  private static final Gpt2 MODEL =
      new Gpt2(16, 1, 2, Optional.empty(), Optional.of(256), 64, true, 0.4, 1e-5);

  private static TextGenerator open(int sequences, Backend backend) {
    Generator generator = new Generator(MODEL, 48, sequences, backend);
    for (Param param : generator.params()) {
      Initialization.fill(param, 17, generator.weight(param.name()));
      generator.filled(param.name());
    }
    return new TextGenerator(
        new LoadedModel<>(generator, Tokenizer.open(new Bytes()), Set.of(0), "a test", 0));
  }

  @Test
  void oneByOneAndTogetherAndInPiecesTheTextsAreTheSame() {
    List<String> prompts = List.of("one", "", "\u00e9t\u00e9 \uD83D\uDE00", "a fourth prompt");
    Sampling sampling = Sampling.of(1, 4);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        TextGenerator alone = open(1, backend);
        TextGenerator together = open(3, backend)) {
      List<String> texts = together.generate(prompts, 60, sampling);
      assertThat(texts).hasSize(4).doesNotHaveDuplicates();
      for (int i = 0; i < prompts.size(); i++) {
        List<String> pieces = new ArrayList<>();
        alone.generate(prompts.get(i), 60, sampling, pieces::add);
        assertThat(String.join("", pieces)).isEqualTo(texts.get(i));
        assertThat(alone.generate(prompts.get(i), 60, sampling)).isEqualTo(texts.get(i));
      }
    }
  }
}
