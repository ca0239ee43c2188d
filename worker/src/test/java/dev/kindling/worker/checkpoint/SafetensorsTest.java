package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
  @TempDir Path folder;

  private static final String GOOD = "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

  private SafetensorsFile open(byte[] file) throws IOException {
    Files.write(folder.resolve("x.safetensors"), file);
    return SafetensorsFile.open(new LocalStorage(folder), "x.safetensors");
  }

  private static byte[] file(long headerBytes, String header, int dataBytes) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + text.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(headerBytes)
        .put(text)
        .array();
  }

  private static byte[] file(String header, int dataBytes) {
    return file(header.getBytes(StandardCharsets.UTF_8).length, header, dataBytes);
  }

  @Test
  void aFileWrittenByTheReferenceLayoutIsRead() throws IOException {
    String header =
        "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},\"a\":"
            + GOOD
            + "}   ";
    byte[] bytes = file(header, 12);
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putFloat(bytes.length - 12, 1.5f)
        .putFloat(bytes.length - 4, -2f);
    try (SafetensorsFile file = open(bytes)) {
      assertThat(file.header().tensors().keySet()).containsExactly("a", "b");
      assertThat(file.header().metadata()).containsEntry("format", "pt");
      try (Span a = Span.allocate(8);
          Span b = Span.allocate(4)) {
        file.read("a", a);
        file.readFloats("b", b);
        assertThat(a.toFloats()).containsExactly(1.5f, 0f);
        assertThat(b.toFloats()).containsExactly(-2f);
        assertThatThrownBy(() -> file.read("a", b))
            .hasMessageContaining("tensor a: expected 4 bytes, found 8");
        assertThatThrownBy(() -> file.readFloats("b", 1, b))
            .hasMessageContaining("tensor b: expected a run inside its 1 elements, found 1 from 1");
        assertThatThrownBy(() -> file.readFloats("b", -1, b)).hasMessageContaining("from -1");
        assertThatThrownBy(() -> file.read("c", b))
            .hasMessageContaining("tensor c: expected in this file");
      }
    }
  }

  /** Headers that a careless reader believes, each with a word that the refusal must say. */
  private static Map<String, String> hostileHeaders() {
    Map<String, String> headers = new java.util.LinkedHashMap<>();
    headers.put("{\"a\":" + GOOD + ",\"a\":" + GOOD + "}", "duplicate key");
    headers.put("{\"a\":" + GOOD + ",\"\\u0061\":" + GOOD + "}", "duplicate key");
    headers.put("{\"a\":" + GOOD.replace("F32", "F31") + "}", "dtype");
    headers.put("{\"a\":" + GOOD.replace("F32", "f32") + "}", "dtype");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[3]") + "}", "expected 12 bytes");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[-2]") + "}", "shape");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[2.0]") + "}", "shape");
    headers.put("{\"a\":" + GOOD.replace("[2]", "2") + "}", "list");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[4294967296,4294967296,2]") + "}", "2^63");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[4611686018427387904,4]") + "}", "shape");
    headers.put("{\"a\":" + GOOD.replace("[2]", "[1,1,1,1,1,1,1,1,2]") + "}", "8 dimensions");
    headers.put("{\"a\":" + GOOD.replace("[0,8]", "[8,0]") + "}", "data_offsets");
    headers.put("{\"a\":" + GOOD.replace("[0,8]", "[0]") + "}", "2 data_offsets");
    headers.put("{\"a\":" + GOOD.replace("[0,8]", "[0,8,8]") + "}", "2 data_offsets");
    headers.put("{\"a\":" + GOOD.replace("[0,8]", "[4,12]") + "}", "expected data to begin at 0");
    headers.put("{\"a\":" + GOOD.replace("[0,8]", "[-8,0]") + "}", "data_offsets");
    headers.put(
        "{\"a\":" + GOOD.replace("[0,8]", "[0,18446744073709551615]") + "}", "data_offsets");
    headers.put("{\"a\":" + GOOD + ",\"b\":" + GOOD + "}", "expected data to begin at 8");
    headers.put("{\"a\":" + GOOD.replace("}", ",\"extra\":1}") + "}", "unknown key");
    headers.put("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets");
    headers.put("{\"a\":[1]}", "object");
    headers.put("{\"\":" + GOOD + "}", "tensor name");
    headers.put("{\"" + "n".repeat(513) + "\":" + GOOD + "}", "tensor name");
    headers.put("{\"__metadata__\":{\"a\":1},\"a\":" + GOOD + "}", "string");
    headers.put("{\"__metadata__\":[],\"a\":" + GOOD + "}", "object");
    headers.put("{\"__metadata__\":{\"a\":\"x\",\"a\":\"y\"},\"a\":" + GOOD + "}", "duplicate key");
    headers.put("{}", "expected 0 bytes of tensors, found 8");
    headers.put("[]", "'{'");
    headers.put(" {\"a\":" + GOOD + "}", "'{'");
    headers.put("{\"a\":" + GOOD + "}x", "end of the text");
    headers.put("{\"a\":" + GOOD + "}{}", "end of the text");
    headers.put("{\"a\":" + GOOD, "','");
    headers.put("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", "levels");
    return headers;
  }

  @Test
  void hostileHeadersAreRefusedByName() throws IOException {
    for (var hostile : hostileHeaders().entrySet()) {
      assertThatThrownBy(() -> open(file(hostile.getKey(), 8)))
          .as(hostile.getKey())
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("x.safetensors")
          .hasMessageContaining(hostile.getValue());
    }
  }

  @Test
  void hostileLengthsAreRefusedBeforeAnythingIsAllocated() {
    String header = "{\"a\":" + GOOD + "}";
    for (long bytes :
        new long[] {
          -1, Long.MIN_VALUE, Long.MAX_VALUE, 0, 1, 100_000_001L, header.length() + 9, 1L << 40
        }) {
      assertThatThrownBy(() -> open(file(bytes, header, 8)))
          .as("header length %d", bytes)
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("byte 0: expected a header length");
    }
    for (int data : new int[] {0, 7, 9, 4096}) {
      assertThatThrownBy(() -> open(file(header, data)))
          .as("%d bytes of data", data)
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("found " + (data < 8 ? 8 : data));
    }
    for (int length = 0; length < 10; length++) {
      byte[] tiny = new byte[length];
      assertThatThrownBy(() -> open(tiny))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("10 bytes");
    }
  }

  @Test
  void mutantsAreReadOrRefusedAndNothingElse() throws IOException {
    long seed = Long.getLong("seed", 20261122L);
    Random random = new Random(seed);
    byte[] text =
        ("{\"a\":" + GOOD + ",\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[8,16]}}")
            .getBytes(StandardCharsets.UTF_8);
    int valid = 0;
    for (int i = 0; i < 50_000; i++) {
      byte[] mutant = text.clone();
      for (int m = 0; m <= random.nextInt(3); m++) {
        mutant[random.nextInt(mutant.length)] =
            (byte)
                (random.nextBoolean()
                    ? random.nextInt(256)
                    : "0123456789{}[],:\"".charAt(random.nextInt(17)));
      }
      Throwable thrown = catchThrowable(() -> SafetensorsHeader.parse(mutant, "m", 16));
      if (thrown != null) {
        assertThat(thrown).as("seed %d", seed).isInstanceOf(CheckpointException.class);
      }
      if (thrown == null) {
        valid++;
        long end = 0;
        for (TensorEntry entry : SafetensorsHeader.parse(mutant, "m", 16).tensors().values()) {
          assertThat(entry.begin()).isEqualTo(end);
          end = entry.end();
        }
        assertThat(end).as("seed %d", seed).isEqualTo(16);
      }
    }
    assertThat(valid).isBetween(50, 25_000);
  }

  @Test
  void halvesAndBrainFloatsAreWidenedExactly() throws IOException {
    int count = 65536;
    String header =
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]},"
            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[65536],\"data_offsets\":[131072,262144]}}";
    byte[] bytes = file(header, 4 * count);
    ByteBuffer data =
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(bytes.length - 4 * count);
    for (int i = 0; i < 2 * count; i++) {
      data.putShort((short) i);
    }
    try (SafetensorsFile file = open(bytes);
        Span halves = Span.allocate(4L * count);
        Span brains = Span.allocate(4L * count)) {
      file.readFloats("h", halves);
      file.readFloats("b", brains);
      for (int i = 0; i < count; i++) {
        int exponent = (i >> 10) & 31;
        double magnitude =
            exponent == 0
                ? (i & 1023) * 0x1p-24
                : exponent == 31
                    ? Double.POSITIVE_INFINITY
                    : (1024 + (i & 1023)) * Math.pow(2, exponent - 25);
        float expected = (float) (i >= 32768 ? -magnitude : magnitude);
        boolean nan = exponent == 31 && (i & 1023) != 0;
        assertThat(Float.isNaN(halves.getFloat(i))).isEqualTo(nan);
        if (!nan) {
          assertThat(Float.floatToRawIntBits(halves.getFloat(i)))
              .as("half %d", i)
              .isEqualTo(Float.floatToRawIntBits(expected));
        }
        assertThat(brains.getInt(i)).isEqualTo(i << 16);
      }
    }
  }

  @Test
  void aWriterThatGetsTooFewOrTooManyBytesLeavesNoFile() throws IOException {
    LocalStorage storage = new LocalStorage(folder);
    List<SafetensorsWriter.Declared> declared =
        List.of(
            new SafetensorsWriter.Declared("empty", SafetensorsType.F32, List.of(0L)),
            new SafetensorsWriter.Declared("a", SafetensorsType.F32, List.of(2L)),
            new SafetensorsWriter.Declared("last", SafetensorsType.F32, List.of(0L)));
    List<ByteBuffer> contents =
        new ArrayList<>(List.of(ByteBuffer.allocate(4), ByteBuffer.allocate(12)));
    for (ByteBuffer content : contents) {
      assertThatThrownBy(
              () -> {
                try (SafetensorsWriter writer =
                    new SafetensorsWriter(storage, "w.safetensors", declared, Map.of())) {
                  writer.append("a", content);
                  writer.finish();
                }
              })
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("tensor a");
      assertThat(folder.resolve("w.safetensors")).doesNotExist();
    }
    try (SafetensorsWriter writer =
        new SafetensorsWriter(storage, "w.safetensors", declared, Map.of())) {
      writer.append("a", ByteBuffer.allocate(3));
      writer.append("a", ByteBuffer.allocate(5));
      assertThat(writer.finish().tensors().stream().map(StoredTensor::name))
          .containsExactly("empty", "a", "last");
    }
    try (SafetensorsFile file = SafetensorsFile.open(storage, "w.safetensors")) {
      assertThat(file.header().dataStart() % 8).isZero();
      assertThat(file.header().tensors()).hasSize(3);
    }
  }

  @Test
  void pickleIsRefusedWithTheSafeWay() {
    for (String name : List.of("pytorch_model.bin", "a.pt", "a.pth", "a.ckpt")) {
      assertThatThrownBy(() -> SafetensorsFile.open(new LocalStorage(folder), name))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(".safetensors");
    }
  }
}
