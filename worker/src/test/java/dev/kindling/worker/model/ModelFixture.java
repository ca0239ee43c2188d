package dev.kindling.worker.model;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A small random model of transformers with what it computed, made by
 * worker/src/test/fixtures/make_fixtures.py. Found on the class path, because the tests of a GPU
 * machine run from jars.
 */
final class ModelFixture implements AutoCloseable {
  private static final Optional<Integer> NONE = Optional.empty();
  private static final Optional<Integer> VOCABULARY = Optional.of(97);
  private static final Optional<RopeScaling> PLAIN = Optional.empty();

  /** Each file with the family that its config.json describes. */
  static final Map<String, ModelFamily> FAMILIES =
      new TreeMap<>(
          Map.of(
              "gpt2",
              new Gpt2(32, 2, 4, NONE, VOCABULARY, 32, true, 0.02, 1e-5),
              "gpt2-head64",
              new Gpt2(64, 1, 1, Optional.of(32), VOCABULARY, 32, true, 0.02, 1e-5),
              "llama-linear",
              llama(1, 8, 32, 10000, new RopeScaling.Linear(4)),
              "llama-tied",
              llama(NONE, true, 10000),
              "llama-untied",
              llama(Optional.of(16), false, 500),
              "llama3",
              llama(2, 64, 512, 500, new RopeScaling.Llama3(8, 1, 8, 64)),
              "mistral",
              mistral(),
              "qwen2",
              qwen2(),
              "qwen3",
              qwen3()));

  private final String name;
  private final Path folder;
  private final SafetensorsFile file;

  private ModelFixture(String name, Path folder) {
    this.name = name;
    this.folder = folder;
    this.file = SafetensorsFile.open(new LocalStorage(folder), name + ".safetensors");
  }

  static ModelFixture open(String name) {
    try (InputStream content = ModelFixture.class.getResourceAsStream(name + ".safetensors")) {
      if (content == null) {
        throw new AssertionError("no " + name + ".safetensors: run make_fixtures.py");
      }
      Path folder = Files.createTempDirectory("fixture");
      Files.copy(content, folder.resolve(name + ".safetensors"));
      return new ModelFixture(name, folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<String> names() {
    return List.copyOf(FAMILIES.keySet());
  }

  private static Llama llama(Optional<Integer> headDim, boolean tied, double theta) {
    return new Llama(
        32,
        2,
        4,
        Optional.of(2),
        headDim,
        Optional.of(64),
        VOCABULARY,
        32,
        tied,
        0.02,
        theta,
        1e-5);
  }

  private static Llama llama(
      int layers, int headDim, int context, double theta, RopeScaling scaling) {
    return new Llama(
        16,
        layers,
        2,
        Optional.of(1),
        Optional.of(headDim),
        Optional.of(32),
        VOCABULARY,
        context,
        true,
        0.02,
        theta,
        Optional.of(scaling),
        1e-5);
  }

  private static Mistral mistral() {
    return new Mistral(
        16,
        2,
        2,
        Optional.of(1),
        Optional.of(64),
        Optional.of(32),
        VOCABULARY,
        32,
        false,
        0.02,
        10000,
        PLAIN,
        1e-5,
        Optional.of(6));
  }

  private static Qwen2 qwen2() {
    return new Qwen2(
        16,
        2,
        2,
        Optional.of(1),
        Optional.of(64),
        Optional.of(32),
        VOCABULARY,
        32,
        false,
        0.02,
        10000,
        PLAIN,
        1e-5,
        NONE);
  }

  private static Qwen3 qwen3() {
    return new Qwen3(
        16,
        2,
        4,
        Optional.of(2),
        Optional.of(64),
        Optional.of(32),
        VOCABULARY,
        32,
        true,
        0.02,
        10000,
        PLAIN,
        1e-5,
        NONE);
  }

  ModelFamily family() {
    return FAMILIES.get(name);
  }

  SafetensorsFile file() {
    return file;
  }

  float[] floats(String tensor) {
    TensorEntry entry = file.entry(tensor);
    try (Span span = Span.allocate(entry.bytes())) {
      file.read(tensor, span);
      return span.toFloats();
    }
  }

  int[] ints(String tensor) {
    TensorEntry entry = file.entry(tensor);
    try (Span span = Span.allocate(entry.bytes())) {
      file.read(tensor, span);
      int[] values = new int[(int) (entry.bytes() / Integer.BYTES)];
      span.buffer().asIntBuffer().get(values);
      return values;
    }
  }

  /** The gradient of the mean loss of the 29 tokens that count, of 32. */
  float[] meanGradient(TrainingBench bench, String parameter) {
    float[] gradient = bench.content("grad/" + parameter);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] /= 29;
    }
    return gradient;
  }

  /** Two sequences of 16 tokens, with the weights of the file. */
  TrainingBench bench(Backend backend, boolean maskDocuments) {
    AdamW rule = new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0);
    TrainingBench.Layout layout = new TrainingBench.Layout(32, 16, maskDocuments);
    TrainingBench bench = new TrainingBench(family(), rule, backend, layout);
    for (Param p : family().parameters()) {
      file.read("weight/" + p.name(), bench.span(p.name()));
      bench.publish(p.name());
    }
    return bench;
  }

  @Override
  public void close() {
    file.close();
    try {
      Files.delete(folder.resolve(name + ".safetensors"));
      Files.delete(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
