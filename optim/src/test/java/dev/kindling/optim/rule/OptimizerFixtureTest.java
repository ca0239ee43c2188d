package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Trajectories of torch.optim with torch.nn.utils.clip_grad_norm_ (fp64), made by
 * worker/src/test/fixtures/make_fixtures.py. Floats are stored as the hexadecimal digits of their
 * bits.
 */
class OptimizerFixtureTest {
  private static final Pattern SPACE = Pattern.compile(" ");

  private static final List<float[]> GRADIENTS = new ArrayList<>();
  private static final List<Double> RATES = new ArrayList<>();
  private static final Map<String, Map<Integer, float[]>> AFTER = new HashMap<>();
  private static float[] start = new float[0];
  private static float tokens;

  @BeforeAll
  static void readFixture() {
    try (InputStream in = OptimizerFixtureTest.class.getResourceAsStream("trajectories.txt")) {
      String text =
          new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.US_ASCII);
      text.lines().map(SPACE::split).forEach(OptimizerFixtureTest::line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void line(String[] words) {
    switch (words[0]) {
      case "tokens" -> tokens = floats(words, 1)[0];
      case "start" -> start = floats(words, 1);
      case "gradient" -> GRADIENTS.add(floats(words, 1));
      case "rate" -> RATES.add(Double.valueOf(words[1]));
      case "after" ->
          AFTER
              .computeIfAbsent(words[1], name -> new HashMap<>())
              .put(Integer.valueOf(words[2]), floats(words, 3));
      default -> throw new AssertionError(words[0]);
    }
  }

  private static float[] floats(String[] words, int from) {
    float[] values = new float[words.length - from];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(Integer.parseUnsignedInt(words[from + i], 16));
    }
    return values;
  }

  private static void follows(String name, UpdateRule rule) {
    Map<Integer, float[]> after = Objects.requireNonNull(AFTER.get(name));
    assertThat(after).containsOnlyKeys(1, 2, 10, 50, 100);
    try (UpdateBench bench = new UpdateBench(rule)) {
      bench.start(start);
      for (int update = 1; update <= 100; update++) {
        bench.update(GRADIENTS.get(update - 1), tokens, update, RATES.get(update - 1));
        float[] expected = after.get(update);
        if (expected != null) {
          assertThat(bench.parameters())
              .as("%s after update %d, expected %s", name, update, Arrays.toString(expected))
              .containsExactly(expected, within(2e-5f));
        }
      }
    }
  }

  @Test
  void adamWithDecayAndClipFollowsTorch() {
    follows("adamw", new AdamW(1.0, 0.9, 0.95, 1e-8, 0.1, 1.0));
  }

  @Test
  void adamWithoutDecayAndClipFollowsTorch() {
    follows("adamw-plain", new AdamW(1.0, 0.8, 0.999, 1e-3, 0.0, 0.0));
  }

  @Test
  void sgdFollowsTorch() {
    follows("sgd", new Sgd(1.0, 0.0, false, 0.0, 1.0));
  }

  @Test
  void sgdWithMomentumAndDecayFollowsTorch() {
    follows("sgd-momentum", new Sgd(1.0, 0.9, false, 0.05, 0.0));
  }

  @Test
  void sgdWithNesterovFollowsTorch() {
    follows("sgd-nesterov", new Sgd(1.0, 0.9, true, 0.05, 1.0));
  }
}
