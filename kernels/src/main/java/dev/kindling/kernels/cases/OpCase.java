package dev.kindling.kernels.cases;

import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * One line of the case table: an operation with inputs.
 *
 * @param reduction length of the longest sum in the operation; scales the tolerance
 * @param ranks how many ranks run it together; 1 but for collectives
 */
public record OpCase(String name, Op op, List<Input> inputs, int reduction, int ranks) {
  /** How an input is drawn. */
  public interface Draw {
    double next(SplittableRandom random, int index);
  }

  /** Type and law of one input. */
  public record Input(ValueType type, Draw draw) {}

  public List<ValueType> types() {
    return inputs.stream().map(Input::type).toList();
  }

  /** Values exactly representable in fp32, the same at every call. */
  public List<double[]> values(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<double[]> values = new ArrayList<>();
    for (Input input : inputs) {
      double[] drawn = new double[(int) input.type().shape().elements()];
      for (int i = 0; i < drawn.length; i++) {
        drawn[i] = (float) input.draw().next(random, i);
      }
      values.add(drawn);
    }
    return values;
  }

  /**
   * Largest allowed norm of the error over the norm of the result: 16 roundings of a random walk.
   */
  public double tolerance() {
    return 16 * 0x1.0p-24 * Math.sqrt(reduction);
  }

  @Override
  public String toString() {
    return name;
  }
}
