package dev.kindling.optim.rule;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Updates that another library made from fixed gradients: a text of lines "tokens", "start",
 * "gradient", "rate" and "after NAME UPDATE", whose floats are the hexadecimal digits of their
 * bits.
 *
 * @param gradients by update, summed over the tokens
 * @param rates learning rate of each update
 * @param after parameters by name of the optimizer, then by number of the update
 */
record Trajectories(
    float tokens,
    float[] start,
    List<float[]> gradients,
    List<Double> rates,
    Map<String, Map<Integer, float[]>> after) {
  private static final Pattern SPACE = Pattern.compile(" ");

  static Trajectories none() {
    return new Trajectories(0, new float[0], List.of(), List.of(), Map.of());
  }

  /** The resource of this name beside the class. */
  static Trajectories read(String resource) {
    try (InputStream in = Trajectories.class.getResourceAsStream(resource)) {
      byte[] bytes = Objects.requireNonNull(in, () -> resource + " is missing").readAllBytes();
      List<String[]> lines =
          new String(bytes, StandardCharsets.US_ASCII).lines().map(SPACE::split).toList();
      return of(lines);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Trajectories of(List<String[]> lines) {
    float[] tokens = {0};
    float[] start = {};
    List<float[]> gradients = new ArrayList<>();
    List<Double> rates = new ArrayList<>();
    Map<String, Map<Integer, float[]>> after = new HashMap<>();
    for (String[] words : lines) {
      switch (words[0]) {
        case "tokens" -> tokens = floats(words, 1);
        case "start" -> start = floats(words, 1);
        case "gradient" -> gradients.add(floats(words, 1));
        case "rate" -> rates.add(Double.valueOf(words[1]));
        case "after" ->
            after
                .computeIfAbsent(words[1], name -> new HashMap<>())
                .put(Integer.valueOf(words[2]), floats(words, 3));
        default -> throw new AssertionError(words[0]);
      }
    }
    return new Trajectories(tokens[0], start, gradients, rates, after);
  }

  private static float[] floats(String[] words, int from) {
    float[] values = new float[words.length - from];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(Integer.parseUnsignedInt(words[from + i], 16));
    }
    return values;
  }
}
