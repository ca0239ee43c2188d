package dev.kindling.worker.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Generation in bf16 on the GPU against fp32 on the CPU. The measure is what rounding the weights
 * alone to bf16 costs on the CPU; a GPU rounds activations too, about twice as often as weights.
 */
class GeneratorGpuTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final int CONTEXT = 40;
  private static final int TOKENS = 45;
  private static final int ROUNDINGS = 8;
  private static final CpuOptions CPU = new CpuOptions(1, MatmulKind.JAVA);
  private static final int[][] PROMPTS = {
    {3, 1, 4, 1, 5, 9, 2, 6}, {2}, {7, 8, 7, 7, 1, 7, 7, 3, 7, 7, 7, 7, 6, 7, 7}
  };

  /** Those whose heads are as wide as the attention kernels take them. */
  static List<String> names() {
    return List.of("gpt2-head64", "llama3", "mistral", "qwen2", "qwen3");
  }

  /** From the class path: the tests of a GPU machine run from jars. */
  private static ModelFamily family(String name) {
    String file = name + ".config.json";
    try (InputStream config = ModelFamily.class.getResourceAsStream(file)) {
      if (config == null) {
        throw new AssertionError("no " + file);
      }
      return ModelFamily.ofHuggingFace(JsonReader.read(config.readAllBytes(), file).asObject(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Llama small(int headDim, int context) {
    return new Llama(
        64,
        1,
        2,
        Optional.of(1),
        Optional.of(headDim),
        Optional.of(96),
        Optional.of(97),
        context,
        true,
        0.02,
        10000,
        1e-5);
  }

  private static Generator filled(
      ModelFamily family, int context, int sequences, Backend backend, boolean rounded) {
    Generator generator = new Generator(family, context, sequences, backend);
    for (Param param : generator.params()) {
      boolean vector = param.shape().rank() == 1;
      Span weight = generator.weight(param.name());
      for (long i = 0; i < param.shape().elements(); i++) {
        double normal = Philox.normal(SEED + param.name().hashCode(), i);
        float value = (float) (vector ? 1 + 0.1 * normal : 0.2 * normal);
        weight.putFloat(i, rounded && !vector ? bf16(value) : value);
      }
      generator.filled(param.name());
    }
    return generator;
  }

  /** To the nearest number of 8 significant bits. */
  private static float bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int half = 0x7fff + (bits >>> 16 & 1);
    return Float.intBitsToFloat(bits + half & 0xffff0000);
  }

  private static int context(ModelFamily family) {
    return Math.min(family.context(), CONTEXT);
  }

  /** Largest difference relative to the largest logit. */
  private static double error(float[] found, float[] expected) {
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(found[i] - expected[i]));
    }
    return Double.isFinite(found[0]) ? difference / largest : Double.POSITIVE_INFINITY;
  }

  private static List<Writing> begin(Generator generator, int vocabulary) {
    List<Writing> together = new ArrayList<>();
    for (int slot = 0; slot < PROMPTS.length; slot++) {
      Writing writing = new Writing(PROMPTS[slot], TOKENS, vocabulary);
      together.add(writing);
      generator.forward(writing.ids(), writing.length(), slot, writing.logits);
    }
    return together;
  }

  /** Worst error over prompts, cached tokens and windows behind the context, on equal texts. */
  private static double worst(ModelFamily family, Generator expected, Generator found) {
    int vocabulary = family.vocabulary().orElseThrow();
    List<Writing> one = begin(expected, vocabulary);
    List<Writing> other = begin(found, vocabulary);
    double worst = 0;
    for (int token = 0; token < TOKENS; token++) {
      for (int slot = 0; slot < PROMPTS.length; slot++) {
        Writing writing = one.get(slot);
        worst = Math.max(worst, error(other.get(slot).logits, writing.logits));
        int next = new TokenChoice(Sampling.greedy()).pick(writing.logits, writing.length());
        // Not the most likely one: texts of an untrained model would soon repeat one token.
        writing.add((next + 3 * token) % vocabulary);
        other.get(slot).add((next + 3 * token) % vocabulary);
      }
      expected.advance(one);
      found.advance(other);
    }
    return worst;
  }

  private static double bound(ModelFamily family, Generator exact, Backend cpu) {
    try (Generator rounded = filled(family, context(family), PROMPTS.length, cpu, true)) {
      return ROUNDINGS * worst(family, exact, rounded);
    }
  }

  private static Backend gpu() {
    return Device.CUDA.open(CPU, 0, false, line -> {});
  }

  /** What the tests below allow is less than the keys of another text in the cache cost. */
  @ParameterizedTest
  @MethodSource("names")
  void theBoundTellsAnotherTextFromRounding(String name) {
    ModelFamily family = family(name);
    try (Backend cpu = Backend.cpu(CPU);
        Generator exact = filled(family, context(family), PROMPTS.length, cpu, false)) {
      double bound = bound(family, exact, cpu);
      int[] text = PROMPTS[0].clone();
      float[] logits = new float[family.vocabulary().orElseThrow()];
      exact.forward(text, text.length, Window.NOT_KEPT, logits);
      Arrays.setAll(text, place -> place < text.length - 1 ? 50 + 3 * place : text[place]);
      float[] wrong = new float[logits.length];
      exact.forward(text, text.length, Window.NOT_KEPT, wrong);
      assertThat(bound).as("%s, seed %d", name, SEED).isPositive().isLessThan(0.2);
      assertThat(error(wrong, logits)).as("%s, seed %d", name, SEED).isGreaterThan(bound);
    }
  }

  private static CudaBytes planned(ModelFamily family, int context, int sequences) {
    Graph newest = new NewestTokens(family, sequences, context).graph();
    Graph window = new Window(family, context, sequences, context).graph();
    Set<Variable> variables = new LinkedHashSet<>(newest.variables());
    variables.addAll(window.variables());
    return CudaBytes.of(
        List.copyOf(variables),
        List.of(newest, window),
        Precision.BF16,
        CudaBytes.H100_MULTIPROCESSORS);
  }

  /** Without a GPU: every node has a kernel that takes its operands as they are stored. */
  @ParameterizedTest
  @MethodSource("names")
  void theGpuHasAPlanForPromptsAndCachedTokens(String name) {
    ModelFamily family = family(name);
    CudaBytes one = planned(family, context(family), 1);
    CudaBytes three = planned(family, context(family), 3);
    assertThat(three.variables().get(Role.STATE))
        .isEqualTo(3 * Objects.requireNonNull(one.variables().get(Role.STATE)));
    assertThatThrownBy(() -> planned(small(12, 64), 64, 1))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("expected head_dim a multiple of 8 up to 256");
  }

  /** The vocabulary stands in the table, its copy and two rows that leave the device. */
  @Test
  void logitsOfAPromptTakeTheMemoryOfOneToken() {
    Gpt2 family = new Gpt2(64, 1, 1, Optional.empty(), Optional.of(50257), 1024, true, 0.02, 1e-5);
    CudaBytes bytes = planned(family, 1024, 1);
    assertThat(bytes.activations()).isLessThan(4L << 20);
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("names")
  void logitsOfPromptsCachedTokensAndLongTextsAreThoseOfTheCpu(String name) {
    ModelFamily family = family(name);
    try (Backend cpu = Backend.cpu(CPU);
        Backend gpu = gpu();
        Generator exact = filled(family, context(family), PROMPTS.length, cpu, false);
        Generator found = filled(family, context(family), PROMPTS.length, gpu, false)) {
      double bound = bound(family, exact, cpu);
      assertThat(worst(family, exact, found))
          .as("%s, seed %d", name, SEED)
          .isLessThanOrEqualTo(bound);
    }
  }

  /** As executors do: loaded by one task, used and closed by others. */
  @Tag("gpu")
  @Test
  void theSameTextEveryTimeAndOnEveryThread() throws Exception {
    Llama family = small(64, CONTEXT);
    SampleRequest request =
        new SampleRequest(
            List.of(PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[0]),
            TOKENS,
            Sampling.of(0.9, 7),
            97,
            -1);
    List<int[]> first;
    try (Backend gpu = gpu();
        Generator generator = filled(family, CONTEXT, 3, gpu, false)) {
      first = generator.sample(request, (prompt, id) -> {});
      assertThat(generator.sample(request, (prompt, id) -> {})).containsExactlyElementsOf(first);
    }
    assertThat(first.get(0)).hasSize(TOKENS).isNotEqualTo(first.get(1));
    Backend gpu = onAnotherThread(GeneratorGpuTest::gpu);
    Generator generator = onAnotherThread(() -> filled(family, CONTEXT, 3, gpu, false));
    List<int[]> second = onAnotherThread(() -> generator.sample(request, (prompt, id) -> {}));
    assertThat(second).containsExactlyElementsOf(first);
    onAnotherThread(
        () -> {
          generator.close();
          gpu.close();
          return 0;
        });
  }

  private static <T> T onAnotherThread(Callable<T> work) throws Exception {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      return thread.submit(work).get();
    } finally {
      thread.shutdown();
    }
  }

  /** Every window has words of its own for ids outside their tables. */
  @Tag("gpu")
  @Test
  void aLongContextHasManyWindows() {
    Llama family = small(64, 4096);
    int[] text = IntStream.range(0, 4096).map(i -> i * 31 % 97).toArray();
    try (Backend cpu = Backend.cpu(CPU);
        Backend gpu = gpu();
        Generator exact = filled(family, 4096, 1, cpu, false);
        Generator rounded = filled(family, 4096, 1, cpu, true);
        Generator found = filled(family, 4096, 1, gpu, false)) {
      double bound = 0;
      double worst = 0;
      for (int length : new int[] {20, 50, 100, 200, 400, 800, 1500, 4096}) {
        float[] expected = logits(exact, text, length);
        bound = Math.max(bound, ROUNDINGS * error(logits(rounded, text, length), expected));
        worst = Math.max(worst, error(logits(found, text, length), expected));
      }
      assertThat(worst).as("seed %d", SEED).isLessThanOrEqualTo(bound);
    }
  }

  private static float[] logits(Generator generator, int[] text, int length) {
    float[] logits = new float[97];
    generator.forward(text, length, 0, logits);
    return logits;
  }

  /** So that a model may be put on the CPU instead, before its weights are read. */
  @Tag("gpu")
  @Test
  void headsThatTheGpuHasNoKernelForAreRefusedAtOnce() {
    try (Backend gpu = gpu()) {
      assertThatThrownBy(() -> new Generator(small(12, 64), 64, 1, gpu))
          .isInstanceOf(DeviceException.class)
          .hasMessageContaining("expected head_dim a multiple of 8 up to 256");
    }
  }
}
