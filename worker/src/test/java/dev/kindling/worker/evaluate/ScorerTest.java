package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.ModelInputs;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ScorerTest {
  private static final long SEED = Long.getLong("seed", 3L);
  private static final Gpt2 MODEL =
      new Gpt2(24, 2, 2, Optional.empty(), Optional.of(29), 64, true, 0.3, 1e-5);

  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));

  @AfterEach
  void close() {
    backend.close();
  }

  private static int[] text(int length) {
    SplittableRandom random = new SplittableRandom(SEED);
    return random.ints(length, 0, 29).toArray();
  }

  private Scorer filled(int context) {
    Scorer scorer = new Scorer(MODEL, context, backend);
    for (Param param : scorer.params()) {
      Initialization.fill(param, SEED, scorer.weight(param.name()));
      scorer.filled(param.name());
    }
    return scorer;
  }

  /** The graph that training differentiates, over two sequences of 32 tokens at once. */
  @Test
  void theLossIsThatOfTraining() {
    GraphBuilder b = new GraphBuilder();
    ModelInputs in = ModelInputs.declare(b, 64, 32, false);
    Value targets = b.input("targets", Shape.of(64), DType.I32);
    b.output("loss", b.crossEntropy(MODEL.logits(b, in, new Full()), targets).lossSum());
    Graph graph = b.build();
    int[] text = text(66);
    try (Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of());
        Scorer scorer = filled(32)) {
      for (Param param : graph.params()) {
        Initialization.fill(param, SEED, memory.span(param.name()));
      }
      for (int i = 0; i < 64; i++) {
        int at = i + i / 32;
        memory.span(ModelInputs.TOKENS).putInt(i, text[at]);
        memory.span(ModelInputs.POSITIONS).putInt(i, i % 32);
        memory.span("targets").putInt(i, text[at + 1]);
      }
      program.run();
      int[] first = Arrays.copyOf(text, 33);
      int[] second = Arrays.copyOfRange(text, 33, 66);
      Loss loss = scorer.window(first, 0).plus(scorer.window(second, 0));
      double expected = memory.span("loss").getFloat(0);
      assertThat(loss.tokens()).isEqualTo(64);
      assertThat(loss.nats()).as("seed %d", SEED).isEqualTo(expected, within(1e-5 * expected));
    }
  }

  @Test
  void aUniformModelLosesTheLogarithmOfItsVocabulary() {
    try (Scorer scorer = PlantedModel.uniform(64, backend)) {
      for (int length : new int[] {2, 33, 34, 65}) {
        Loss loss = scorer.window(new int[length], 0);
        assertThat(loss.tokens()).isEqualTo(length - 1);
        assertThat(loss.mean()).isEqualTo((double) (float) Math.log(256), within(1e-6));
      }
    }
  }

  /** What a window of another length, or padding behind the text, must not change. */
  @Test
  void aContinuationCostsWhatItAddsToItsPrompt() {
    int[] text = text(41);
    int[] prompt = Arrays.copyOf(text, 30);
    int[] rest = Arrays.copyOfRange(text, 30, 41);
    try (Scorer scorer = filled(64)) {
      double whole = scorer.window(text, 0).nats();
      double before = scorer.window(prompt, 0).nats();
      Loss loss = scorer.continuation(prompt, rest);
      assertThat(loss.tokens()).isEqualTo(11);
      assertThat(loss.nats()).as("seed %d", SEED).isEqualTo(whole - before, within(1e-4));
    }
  }

  @Test
  void ofALongPromptTheEndIsRead() {
    int[] text = text(90);
    int[] prompt = Arrays.copyOf(text, 80);
    int[] rest = Arrays.copyOfRange(text, 80, 90);
    int[] end = Arrays.copyOfRange(text, 90 - 33, 80);
    try (Scorer scorer = filled(32)) {
      assertThat(scorer.continuation(prompt, rest)).isEqualTo(scorer.continuation(end, rest));
      assertThatThrownBy(() -> scorer.continuation(end, text(33)))
          .isInstanceOf(DataException.class)
          .hasMessage("expected a continuation of 1 to 32 tokens, found 33");
      assertThatThrownBy(() -> scorer.continuation(end, new int[0]))
          .isInstanceOf(DataException.class);
    }
  }

  @Test
  void brokenWeightsAreNoLoss() {
    try (Scorer scorer = filled(32)) {
      Span weight = scorer.weight("transformer.ln_f.weight");
      weight.putFloat(3, Float.NaN);
      assertThatThrownBy(() -> scorer.window(text(9), 0))
          .isInstanceOf(CheckpointException.class)
          .hasMessage("expected a finite loss, found NaN: broken weights");
    }
  }
}
