package dev.kindling.worker.pretrained;

import dev.kindling.kernels.graph.Param;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * A model directory of random weights that a test can bend before it is written: safetensors and
 * index are put together here byte by byte, by no code of the product.
 */
public final class ModelFolder {
  private static final Path FIXTURES = Path.of("src/test/resources/dev/kindling/worker/model");

  /** A tensor as its file will hold it. */
  record Tensor(String dtype, List<Long> dims, byte[] bytes) {
    /** The same with other bytes for one element. */
    Tensor with(int element, int size, long bits) {
      byte[] changed = bytes.clone();
      for (int i = 0; i < size; i++) {
        changed[element * size + i] = (byte) (bits >>> (8 * i));
      }
      return new Tensor(dtype, dims, changed);
    }
  }

  final Path path;
  final ModelFamily family;
  String config;

  /** By file, then by name. */
  final Map<String, Map<String, Tensor>> files = new TreeMap<>();

  /** Changes of the index's weight_map: file by tensor, an empty one takes the tensor out. */
  final Map<String, String> indexed = new TreeMap<>();

  private ModelFolder(Path path, String config, ModelFamily family) {
    this.path = path;
    this.config = config;
    this.family = family;
  }

  /** Names of the models whose config.json transformers itself wrote. */
  static List<String> fixtures() throws IOException {
    try (Stream<Path> list = Files.list(FIXTURES)) {
      return list.map(file -> String.valueOf(file.getFileName()))
          .filter(name -> name.endsWith(".config.json"))
          .map(name -> name.substring(0, name.indexOf('.')))
          .sorted()
          .toList();
    }
  }

  static String fixture(String name) throws IOException {
    return Files.readString(FIXTURES.resolve(name + ".config.json"), StandardCharsets.UTF_8);
  }

  static Json.Obj json(String config) {
    return JsonReader.read(config.getBytes(StandardCharsets.UTF_8), "config.json").asObject("it");
  }

  /**
   * A model in so many files.
   *
   * @param dtype F32, BF16 or F16
   */
  public static ModelFolder of(Path path, String config, String dtype, int files) {
    ModelFamily family = ModelFamily.ofHuggingFace(json(config));
    ModelFolder folder = new ModelFolder(path, config, family);
    Random random = new Random(7);
    List<Param> params = family.parameters();
    for (int i = 0; i < params.size(); i++) {
      Param param = params.get(i);
      String file =
          files == 1
              ? "model.safetensors"
              : String.format("model-%05d-of-%05d.safetensors", i % files + 1, files);
      folder
          .files
          .computeIfAbsent(file, any -> new LinkedHashMap<>())
          .put(param.name(), tensor(param, dtype, random));
    }
    return folder;
  }

  /** A model for runs of bytes in sequences of 32, in F32. */
  public static ModelFolder small(Path path, int files) throws IOException {
    String config = fixture("llama-tied").replace("\"vocab_size\": 97", "\"vocab_size\": 256");
    return of(path, config, "F32", files);
  }

  /** Small numbers of both signs, now and then a zero, a subnormal or a large one. */
  private static Tensor tensor(Param param, String dtype, Random random) {
    int elements = Math.toIntExact(param.shape().elements());
    boolean wide = dtype.equals("F32");
    ByteBuffer bytes =
        ByteBuffer.allocate(elements * (wide ? 4 : 2)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < elements; i++) {
      float value = (float) (0.05 * random.nextGaussian());
      if (wide) {
        bytes.putFloat(value);
      } else {
        // Any pattern of which the exponent is not all ones is a finite number.
        int exponent = dtype.equals("F16") ? 0x7c00 : 0x7f80;
        boolean odd = i % 97 == 0;
        int small = Float.floatToRawIntBits(value) >>> 16;
        int bits = odd ? random.nextInt(0x10000) & ~(exponent & -exponent) : small;
        bytes.putShort((short) (dtype.equals("F16") && !odd ? half(value) : bits));
      }
    }
    return new Tensor(
        dtype, param.shape().dims().stream().map(Integer::longValue).toList(), bytes.array());
  }

  /** A normal number near the value, by cutting. */
  private static int half(float value) {
    int bits = Float.floatToRawIntBits(value);
    int exponent = Math.max(1, ((bits >>> 23) & 0xff) - 112);
    return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
  }

  /** The file in which a tensor is to be. */
  String fileOf(String tensor) {
    return files.entrySet().stream()
        .filter(file -> file.getValue().containsKey(tensor))
        .map(Map.Entry::getKey)
        .findFirst()
        .orElseThrow();
  }

  Tensor tensor(String name) {
    return Objects.requireNonNull(of(fileOf(name)).get(name));
  }

  Map<String, Tensor> of(String file) {
    return Objects.requireNonNull(files.get(file));
  }

  public List<Param> params() {
    return family.parameters();
  }

  /** The bytes of a tensor. */
  public byte[] content(String name) {
    return tensor(name).bytes();
  }

  /** Makes one element of an F32 tensor a NaN. */
  public ModelFolder spoil(String name, int element) {
    return put(name, tensor(name).with(element, Float.BYTES, 0x7fc00000));
  }

  /** Puts a tensor in the place of one of this name, or beside the first. */
  ModelFolder put(String name, Tensor tensor) {
    String file =
        files.entrySet().stream()
            .filter(f -> f.getValue().containsKey(name))
            .map(Map.Entry::getKey)
            .findFirst()
            .orElse(files.keySet().iterator().next());
    of(file).put(name, tensor);
    return this;
  }

  /** Gives every tensor another name; an empty one takes it out. */
  ModelFolder rename(UnaryOperator<String> rule) {
    for (Map<String, Tensor> file : files.values()) {
      Map<String, Tensor> old = new LinkedHashMap<>(file);
      file.clear();
      old.forEach(
          (name, tensor) -> {
            if (!rule.apply(name).isEmpty()) {
              file.put(rule.apply(name), tensor);
            }
          });
    }
    return this;
  }

  public ModelFolder write() throws IOException {
    Files.createDirectories(path);
    Files.writeString(path.resolve("config.json"), config, StandardCharsets.UTF_8);
    Map<String, String> fileOf = new TreeMap<>();
    for (Map.Entry<String, Map<String, Tensor>> file : files.entrySet()) {
      Files.write(path.resolve(file.getKey()), bytes(file.getValue()));
      file.getValue().keySet().forEach(tensor -> fileOf.put(tensor, file.getKey()));
    }
    if (!files.containsKey("model.safetensors")) {
      fileOf.putAll(indexed);
      fileOf.values().removeIf(String::isEmpty);
      List<String> members = new ArrayList<>();
      fileOf.forEach((tensor, file) -> members.add('"' + tensor + "\": \"" + file + '"'));
      Files.writeString(
          path.resolve("model.safetensors.index.json"),
          "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {"
              + String.join(", ", members)
              + "}}");
    }
    return this;
  }

  /** A safetensors file. */
  static byte[] bytes(Map<String, Tensor> tensors) {
    List<String> members = new ArrayList<>();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    tensors.forEach(
        (name, tensor) -> {
          int from = data.size();
          data.writeBytes(tensor.bytes());
          members.add(
              String.format(
                  "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                  name, tensor.dtype(), tensor.dims(), from, data.size()));
        });
    byte[] header =
        ("{\"__metadata__\":{\"format\":\"pt\"}," + String.join(",", members) + "}")
            .getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + header.length + data.size())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data.toByteArray())
        .array();
  }
}
