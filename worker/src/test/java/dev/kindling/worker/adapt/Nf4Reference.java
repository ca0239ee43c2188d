package dev.kindling.worker.adapt;

import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Packed numbers by the words of the definition, without this project's tables. */
final class Nf4Reference {
  private static final double[] LEVELS = {
    -1,
    -0.696192801,
    -0.525073051,
    -0.394917488,
    -0.284441382,
    -0.184773430,
    -0.091050036,
    0,
    0.079580300,
    0.160930201,
    0.246112302,
    0.337915242,
    0.440709829,
    0.562617004,
    0.722956836,
    1
  };

  private Nf4Reference() {}

  /**
   * One element of a matrix.
   *
   * @param packed codes, scales, statistics
   */
  static float element(List<Span> packed, int i) {
    int both = packed.get(0).buffer().get(i / 2) & 255;
    double level = LEVELS[i % 2 == 0 ? both >> 4 : both & 15];
    int block = i / 64;
    double scale = numbers().get(packed.get(1).buffer().get(block) & 255);
    Span statistics = packed.get(2);
    return (float)
        (level * (scale * statistics.getFloat(1 + block / 256) + statistics.getFloat(0)));
  }

  private static List<Double> numbers() {
    List<Double> numbers = new ArrayList<>(List.of(0.0, 1.0));
    for (int i = 0; i < 7; i++) {
      for (int cell = 0; cell < (1 << i); cell++) {
        double middle = (0.1 + 0.9 * (cell + 0.5) / (1 << i)) * Math.pow(10, i - 6);
        numbers.add(middle);
        numbers.add(-middle);
      }
    }
    Collections.sort(numbers);
    return numbers;
  }
}
