package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits by the cache against logits by whole windows, for every family that has a fixture. */
class GeneratorCacheTest {
  private static final Path FOLDER = Path.of("src/test/resources/dev/kindling/worker/model");
  private static final String SUFFIX = ".config.json";
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final int CONTEXT = 29;
  private static final int TOKENS = 34;

  static List<String> fixtures() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(SUFFIX))
          .map(name -> name.substring(0, name.length() - SUFFIX.length()))
          .sorted()
          .toList();
    }
  }

  private static ModelFamily family(String fixture) {
    String file = fixture + SUFFIX;
    try {
      byte[] config = Files.readAllBytes(FOLDER.resolve(file));
      return ModelFamily.ofHuggingFace(JsonReader.read(config, file).asObject(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Matrices that make attention sharp: a wrong key changes every logit. */
  private static void fill(Generator generator) {
    for (Param param : generator.params()) {
      boolean vector = param.shape().rank() == 1;
      Span weight = generator.weight(param.name());
      for (long i = 0; i < param.shape().elements(); i++) {
        double normal = Philox.normal(SEED + param.name().hashCode(), i);
        weight.putFloat(i, (float) (vector ? 1 + 0.1 * normal : 0.3 * normal));
      }
      generator.filled(param.name());
    }
  }

  @Test
  void thereAreFixturesOfSeveralFamilies() throws IOException {
    assertThat(fixtures().stream().map(name -> family(name).getClass()).distinct())
        .hasSizeGreaterThanOrEqualTo(2);
  }

  @ParameterizedTest
  @MethodSource("fixtures")
  void theCacheGivesTheLogitsOfWholeWindows(String fixture) {
    ModelFamily family = family(fixture);
    int vocabulary = family.vocabulary().orElseThrow();
    int[][] prompts = {
      {3, 1, 4, 1, 5, 9, 2, 6}, {2}, {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}
    };
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Generator generator = new Generator(family, CONTEXT, prompts.length, backend)) {
      fill(generator);
      List<Writing> together = new ArrayList<>();
      for (int slot = 0; slot < prompts.length; slot++) {
        Writing writing = new Writing(prompts[slot], TOKENS, vocabulary);
        together.add(writing);
        generator.forward(writing.ids(), writing.length(), slot, writing.logits);
      }
      float[] whole = new float[vocabulary];
      for (int token = 0; token < TOKENS; token++) {
        for (Writing writing : together) {
          generator.forward(writing.ids(), writing.length(), Window.NOT_KEPT, whole);
          String what = fixture + ", " + writing.length() + " tokens, seed " + SEED;
          assertThat(error(writing.logits, whole)).as(what).isLessThan(1e-5);
          int next = new TokenChoice(Sampling.greedy()).pick(writing.logits, writing.length());
          assertThat(next)
              .as(what)
              .isEqualTo(new TokenChoice(Sampling.greedy()).pick(whole, writing.length()));
          // Not the most likely one: texts of an untrained model would soon repeat one token.
          writing.add((next + 3 * token) % vocabulary);
        }
        generator.advance(together);
      }
      assertThat(together).allMatch(Writing::done);
    }
  }

  /** Largest difference relative to the largest logit. */
  private static double error(float[] found, float[] expected) {
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(found[i] - expected[i]));
    }
    return difference / largest;
  }
}
