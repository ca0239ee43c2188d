package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Gradients of equal layers, their sketches, the moments of these and the updates that they scale,
 * as APOLLO writes them.
 *
 * @param shapes of the matrices of one layer
 * @param gradients role of their variables
 * @param together whether one scale holds for all, as behind backward; else each matrix has its own
 */
public record SketchedLayers(
    List<Shape> shapes, int layers, int rank, Role gradients, boolean together) {
  private static final double[] STEP = {1e-2, 0.19, 0.05, 0.7, 403};

  /** How many matrices there are. */
  public int matrices() {
    return shapes.size() * layers;
  }

  public Shape shape(int matrix) {
    return shapes.get(matrix % shapes.size());
  }

  /** All matrices. */
  public Graph graph() {
    return graph(IntStream.range(0, matrices()).toArray());
  }

  /** These matrices, each with the numbers that it has among all of them. */
  public Graph graph(int... matrices) {
    GraphBuilder b = new GraphBuilder();
    Value step = floats(b, "step", Role.STATE, StepScalar.values().length);
    for (int matrix : matrices) {
      Value scale = floats(b, together ? "scale" : "scale" + matrix, Role.STATE, 1);
      int[] dims = {shape(matrix).dim(0), shape(matrix).dim(1)};
      Value gradient = floats(b, "gradient" + matrix, gradients, dims);
      Channels channels = Channels.of(gradient.shape(), gradient.shape());
      Sketch op = new Sketch(channels, rank, 100L + matrix, 200, Axis.DATA);
      List<Value> sketch = b.add(op, gradient, step);
      Value m = floats(b, "m" + matrix, Role.STATE, channels.own(), rank);
      Value v = floats(b, "v" + matrix, Role.STATE, channels.own(), rank);
      SketchMoments moments = new SketchMoments(0.9f, 0.95f, 1e-6f, true, 1);
      List<Value> after = b.add(moments, sketch.get(0), sketch.get(1), m, v, scale);
      b.output("sketch" + matrix, sketch.get(0));
      b.output("squares" + matrix, sketch.get(1));
      b.output("factors" + matrix, after.get(2));
      b.output("sums" + matrix, after.get(3));
      ScaledUpdate update = new ScaledUpdate(channels, true, 2, false, 0, 0.1f);
      Value weight = floats(b, "weight" + matrix, Role.PARAMETER, dims);
      List<Value> updated =
          b.add(update, weight, gradient, after.get(2), after.get(3), scale, step);
      b.output("updated" + matrix, updated.get(0));
    }
    return b.build();
  }

  private static Value floats(GraphBuilder b, String name, Role role, int... dims) {
    return b.variable(new Variable(name, ValueType.f32(dims), role));
  }

  /** Of all variables by name; floats are rounded to bf16. */
  public Map<String, double[]> contents(long seed) {
    Map<String, double[]> contents = new HashMap<>();
    contents.put("step", STEP);
    contents.put("scale", new double[] {0.5});
    for (int matrix = 0; matrix < matrices(); matrix++) {
      SplittableRandom random = new SplittableRandom(seed + matrix);
      int numbers = Math.max(shape(matrix).dim(0), shape(matrix).dim(1)) * rank;
      contents.put("scale" + matrix, new double[] {0.5});
      contents.put("gradient" + matrix, drawn(random, (int) shape(matrix).elements(), -2));
      contents.put("weight" + matrix, drawn(random, (int) shape(matrix).elements(), -2));
      contents.put("m" + matrix, drawn(random, numbers, -2));
      contents.put("v" + matrix, drawn(random, numbers, 0.1));
    }
    return contents;
  }

  private static double[] drawn(SplittableRandom random, int count, double least) {
    return DeviceCase.rounded(random.doubles(count, least, 2).toArray());
  }

  /** Names of what the graph shows of a matrix. */
  public static List<String> outputs(int matrix) {
    List<String> names = new ArrayList<>();
    for (String what : List.of("sketch", "squares", "factors", "sums", "updated")) {
      names.add(what + matrix);
    }
    return names;
  }
}
