package dev.kindling.kernels.nf4;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against what numpy made of the definition (make_nf4.py), byte for byte. */
class Nf4WriterTest {
  private static final long SEED = Long.getLong("seed", 5L);

  /** The three spans of a packed matrix. */
  private record Packed(int elements, Span codes, Span scales, Span statistics) {
    static Packed of(float[] values, int piece) {
      int n = values.length;
      Packed packed =
          new Packed(
              n,
              Span.allocate(Nf4.codes(n).bytes()),
              Span.allocate(Nf4.scales(n).bytes()),
              Span.allocate(Nf4.statistics(n).bytes()));
      Nf4Writer writer = new Nf4Writer(n, packed.codes, packed.scales, packed.statistics);
      Span span = Span.allocate(n * (long) Float.BYTES);
      span.put(values);
      // Last piece first: order does not matter.
      for (int from = (n - 1) / piece * piece; from >= 0; from -= piece) {
        int count = Math.min(piece, n - from);
        writer.write(from, span.slice(from * (long) Float.BYTES, count * (long) Float.BYTES));
      }
      writer.finish();
      return packed;
    }

    float[] read() {
      Span back = Span.allocate(elements * (long) Float.BYTES);
      Nf4Reader reader = new Nf4Reader(codes, scales, statistics);
      // In pieces that cut blocks.
      for (int from = 0; from < elements; from += 37) {
        reader.read(from, Math.min(37, elements - from), back, from);
      }
      return back.toFloats();
    }
  }

  private static Map<String, Map<String, String>> cases() throws IOException {
    Map<String, Map<String, String>> cases = new LinkedHashMap<>();
    try (InputStream in = Nf4WriterTest.class.getResourceAsStream("/fixtures/nf4.txt");
        BufferedReader lines =
            new BufferedReader(
                new InputStreamReader(Objects.requireNonNull(in), StandardCharsets.US_ASCII))) {
      Map<String, String> present = new LinkedHashMap<>();
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.split(" ", -1);
        if (words[0].equals("case")) {
          present = new LinkedHashMap<>(Map.of("elements", words[2]));
          cases.put(words[1], present);
        } else {
          present.put(words[0], words[1]);
        }
      }
    }
    return cases;
  }

  /** As the script has them: sums of four hashed numbers, each block at a size of its own. */
  private static float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      long sum = -(1 << 17);
      for (long j = 4L * i; j < 4L * i + 4; j++) {
        long hashed = ((j * 2654435761L) & 0xFFFFFFFFL) >> 16;
        sum += (hashed * 40503 + 9973) & 0xFFFF;
      }
      values[i] = sum * (1 + i / 64 * 5 % 7) * 0x1.0p-20f;
    }
    return values;
  }

  private static float[] floats(String hex) {
    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    float[] floats = new float[bytes.remaining() / Float.BYTES];
    bytes.order(java.nio.ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
    return floats;
  }

  private static String hex(Span span) {
    byte[] bytes = new byte[(int) span.bytes()];
    span.buffer().get(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  @Test
  void packsAndUnpacksByteForByteAsTheReference() throws IOException {
    Map<String, Map<String, String>> cases = cases();
    assertThat(cases).hasSize(5);
    cases.forEach(
        (name, expected) -> {
          String given = expected.get("values");
          int elements = Integer.parseInt(Objects.requireNonNull(expected.get("elements")));
          float[] values = given == null ? values(elements) : floats(given);
          for (int piece : new int[] {64, 256, 64 * 1024}) {
            Packed packed = Packed.of(values, piece);
            assertThat(hex(packed.codes)).as(name).isEqualTo(expected.get("codes"));
            assertThat(hex(packed.scales)).as(name).isEqualTo(expected.get("scales"));
            assertThat(hex(packed.statistics)).as(name).isEqualTo(expected.get("statistics"));
            unpacked(name, expected, packed.read());
          }
        });
  }

  private static void unpacked(String name, Map<String, String> expected, float[] found) {
    String whole = expected.get("unpacked");
    if (whole == null) {
      long sum = 0;
      for (float one : found) {
        sum += Float.floatToRawIntBits(one) & 0xFFFFFFFFL;
      }
      assertThat(sum).as(name).isEqualTo(Long.parseLong(expected.getOrDefault("sum", "")));
    } else {
      assertThat(found).as(name).containsExactly(floats(whole));
    }
  }

  private static float[] normal(int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
      values[i] = (float) (radius * Math.cos(2 * Math.PI * random.nextDouble()));
    }
    return values;
  }

  @Test
  void normalNumbersComeBackWithTheKnownErrorInTheKnownBits() {
    float[] values = normal(1 << 19);
    Packed packed = Packed.of(values, 1 << 16);
    float[] back = packed.read();
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      squares += Math.pow(back[i] - values[i], 2);
    }
    assertThat(Math.sqrt(squares / values.length)).isCloseTo(0.092, within(0.001));
    long bytes = packed.codes.bytes() + packed.scales.bytes() + packed.statistics.bytes();
    assertThat(8.0 * bytes / values.length).isCloseTo(4.127, within(1e-3));
  }

  @Test
  void whatCameBackIsPackedIntoTheSameCodes() {
    Packed packed = Packed.of(normal(4096), 4096);
    Packed again = Packed.of(packed.read(), 4096);
    assertThat(hex(again.codes)).isEqualTo(hex(packed.codes));
  }

  @Test
  void codesGoUpOnlyAboveTheMiddle() {
    float[] levels = Nf4.levels();
    for (int code = 0; code < 16; code++) {
      assertThat(Nf4.code(levels[code])).isEqualTo(code);
    }
    for (int code = 0; code < 15; code++) {
      float middle = (float) (((double) levels[code] + levels[code + 1]) / 2);
      assertThat(Nf4.code(middle)).isEqualTo(code);
      assertThat(Nf4.code(Math.nextUp(middle))).isEqualTo(code + 1);
    }
    assertThat(Nf4.code(Float.NaN)).isZero();
  }

  @Test
  void piecesThatCutABlockAreRefused() {
    Span codes = Span.allocate(Nf4.codes(100).bytes());
    Span scales = Span.allocate(Nf4.scales(100).bytes());
    Span statistics = Span.allocate(Nf4.statistics(100).bytes());
    Nf4Writer writer = new Nf4Writer(100, codes, scales, statistics);
    assertThatThrownBy(() -> writer.write(0, Span.allocate(4 * 50)))
        .hasMessageContaining("whole blocks of 100 elements, found 50 from 0");
    assertThatThrownBy(() -> writer.write(1, Span.allocate(4 * 64)))
        .hasMessageContaining("found 64 from 1");
    assertThatThrownBy(() -> new Nf4Writer(200, codes, scales, statistics))
        .hasMessageContaining("codes: expected 100 bytes, found 52");
  }
}
