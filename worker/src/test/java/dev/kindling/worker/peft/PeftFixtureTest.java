package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Adapters of peft with what its models computed and learnt; made by
 * worker/src/test/fixtures/make_adapters.py.
 */
class PeftFixtureTest {
  private static final int TOKENS = 32;
  private static final int SEQUENCE = 16;
  private static final int UPDATES = 100;
  private static final AdamW RULE = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 0);

  @TempDir private Path folder;

  private void copy(String from, String to) throws IOException {
    try (InputStream content = PeftFixtureTest.class.getResourceAsStream(from)) {
      if (content == null) {
        throw new AssertionError("no " + from + ": run make_adapters.py");
      }
      Files.copy(content, folder.resolve(to));
    }
  }

  private static Adapter told(String variant, Path folder) {
    Map<String, Object> defaults = Lora.defaults();
    Lora plain =
        new Lora(
            (int) Objects.requireNonNull(defaults.get("rank")),
            (double) Objects.requireNonNull(defaults.get("alpha")),
            false,
            0,
            List.of("all-linear"),
            List.of(),
            Map.of(),
            Map.of(),
            List.of(),
            Optional.of(folder.toString()));
    return PeftDirectory.described(variant.equals("dora") ? Dora.of(plain) : plain);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2,lora",
    "gpt2,rslora",
    "gpt2,dora",
    "gpt2,patterns",
    "llama-untied,lora",
    "llama-untied,rslora",
    "llama-untied,dora",
    "llama-untied,patterns",
    "qwen2,lora",
    "qwen2,rslora",
    "qwen2,dora",
    "qwen2,patterns"
  })
  void logitsAndAHundredStepsAreThoseOfPeft(String name, String variant) throws IOException {
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      copy(name + "-" + variant + "/" + file, file);
    }
    copy(name + "-" + variant + "/expected.safetensors", "expected.safetensors");
    copy("/dev/kindling/worker/model/" + name + ".safetensors", "model.safetensors");
    copy("/dev/kindling/worker/model/" + name + ".config.json", "config.json");
    byte[] config = Files.readAllBytes(folder.resolve("config.json"));
    ModelFamily model =
        ModelFamily.ofHuggingFace(JsonReader.read(config, "config.json").asObject("the text"));
    Projection projection = told(variant, folder).projection(model, 1);
    LocalStorage storage = new LocalStorage(folder);
    try (SafetensorsFile expected = SafetensorsFile.open(storage, "expected.safetensors");
        SafetensorsFile weights = SafetensorsFile.open(storage, "model.safetensors");
        PeftDirectory adapter = PeftDirectory.open(folder);
        Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
      adapter.check(model, projection);
      FirstValues base = (param, from, target) -> fill(weights, param, from, target);
      FirstValues values = adapter.over(base);
      assertThat(logits(backend, model, projection, values, expected))
          .usingComparatorWithPrecision(1e-4f)
          .containsExactly(floats(expected, "logits"));
      float[] losses = floats(expected, "losses");
      assertThat(losses).as("before each update and after the last").hasSize(UPDATES + 1);
      assertThat(train(backend, model, projection, base, adapter, expected))
          .usingComparatorWithPrecision(2e-4f)
          .containsExactly(losses);
    }
  }

  private static void fill(SafetensorsFile weights, Param param, long from, Span target) {
    assertThat(from).isZero();
    weights.readFloats("weight/" + param.name(), target);
  }

  private static float[] floats(SafetensorsFile file, String name) {
    try (Span span = Span.allocate(file.entry(name).bytes())) {
      file.readFloats(name, span);
      return span.toFloats();
    }
  }

  private static int[] ints(SafetensorsFile file, String name) {
    int[] values = new int[TOKENS];
    try (Span span = Span.allocate(file.entry(name).bytes())) {
      file.read(name, span);
      for (int i = 0; i < TOKENS; i++) {
        values[i] = span.getInt(i);
      }
    }
    return values;
  }

  private static float[] logits(
      Backend backend,
      ModelFamily model,
      Projection projection,
      FirstValues values,
      SafetensorsFile expected) {
    GraphBuilder b = new GraphBuilder();
    projection.declare(b, model);
    ModelInputs in = ModelInputs.declare(b, TOKENS, SEQUENCE, false);
    b.output("logits", model.logits(b, in, projection));
    Graph graph = b.build();
    int[] ids = ints(expected, "input_ids");
    try (Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of())) {
      for (Param param : graph.params()) {
        values.fill(param, 0, memory.span(param.name()));
        memory.publish(param.name());
      }
      for (int i = 0; i < TOKENS; i++) {
        memory.span(ModelInputs.TOKENS).putInt(i, ids[i]);
        memory.span(ModelInputs.POSITIONS).putInt(i, i % SEQUENCE);
      }
      program.run();
      return memory.span("logits").toFloats();
    }
  }

  private static float[] train(
      Backend backend,
      ModelFamily model,
      Projection projection,
      FirstValues base,
      PeftDirectory adapter,
      SafetensorsFile expected) {
    int[] ids = ints(expected, "input_ids");
    int[] targets = ints(expected, "targets");
    float[] losses = new float[floats(expected, "losses").length];
    StepShape shape = new StepShape(TOKENS, SEQUENCE, false, 1);
    StepGraphs graphs = new StepGraphs(model, projection, RULE, shape);
    try (Communicator alone = LoopbackCommunicator.create(1).get(0);
        StepProgram program = StepProgram.compile(graphs, backend, alone)) {
      program.fill(base, adapter::over);
      for (int step = 0; step < losses.length; step++) {
        StepInputs inputs = program.inputs();
        for (int i = 0; i < TOKENS; i++) {
          inputs.tokens().put(i, ids[i]);
          inputs.targets().put(i, targets[i]);
          inputs.positions().put(i, i % SEQUENCE);
        }
        var outcome = program.finish(step + 1, 1.0, false);
        losses[step] = outcome.lossSum() / outcome.tokenCount();
      }
    }
    return losses;
  }
}
