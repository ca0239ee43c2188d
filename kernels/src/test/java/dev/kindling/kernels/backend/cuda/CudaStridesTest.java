package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.PlainAttention;
import dev.kindling.kernels.testing.PoisonedRun;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Operands inside a packed product have the results of dense ones, bit for bit: values beside
 * normalised keys in attention, heads in a norm.
 */
class CudaStridesTest {
  private static final int SEQUENCE = 130;

  /** A graph, values of it that fill their rows, and values in a range of wider rows. */
  private record Packed(Graph graph, List<Value> dense, List<Value> ranges) {}

  private static Value rows(GraphBuilder b, String name, int tokens, int columns) {
    Value table = b.variable(new Variable(name, ValueType.f32(tokens, columns), Role.PARAMETER));
    Variable ids = new Variable(name + " rows", ValueType.i32(tokens), Role.INPUT);
    return b.embedding(table, b.variable(ids));
  }

  private static Value dense(GraphBuilder b, Value piece) {
    List<Integer> all = IntStream.range(0, piece.shape().dim(1)).boxed().toList();
    return b.add(new GatherColumns(new Columns(all)), piece).get(0);
  }

  /** Keys dense, values and their gradient in a range of wider rows. */
  private static Packed attention(AttentionShape shape) {
    GraphBuilder b = new GraphBuilder();
    int wide = shape.heads() * shape.headDim();
    int narrow = shape.kvHeads() * shape.headDim();
    Value joint = rows(b, "joint", SEQUENCE, wide + 2 * narrow);
    List<Value> pieces = b.add(new SplitColumns(List.of(wide, narrow, narrow)), joint);
    Value q = pieces.get(0);
    Value k = dense(b, pieces.get(1));
    Value v = pieces.get(2);
    List<Value> o = b.add(new Attention(shape, false), q, k, v);
    Value dO = rows(b, "dO", SEQUENCE, wide);
    AttentionGradient back = new AttentionGradient(shape, false);
    List<Value> gradients = b.add(back, q, k, v, o.get(0), o.get(1), dO);
    Value dq = gradients.get(0);
    Value dv = gradients.get(2);
    b.output("o", o.get(0));
    b.output("lse", o.get(1));
    b.output("dk", gradients.get(1));
    b.output("dq and dv", b.add(new ConcatColumns(), dq, dv).get(0));
    return new Packed(b.build(), List.of(k, gradients.get(1)), List.of(q, v, dq, dv));
  }

  /** The right half of rows, normalised where it lies and in a copy of its own. */
  private static Packed norm(int tokens, int width, int heads) {
    GraphBuilder b = new GraphBuilder();
    int columns = width * heads;
    Value joint = rows(b, "joint", tokens, 2 * columns);
    List<Value> pieces = b.add(new SplitColumns(List.of(columns, columns)), joint);
    Value gain = b.variable(new Variable("gain", ValueType.f32(width), Role.PARAMETER));
    Value dy = rows(b, "dy", tokens, columns);
    Value left = backward(b, "left", pieces.get(0), gain, dy);
    Value right = backward(b, "right", pieces.get(1), gain, dy);
    b.output("packed", b.add(new ConcatColumns(), left, right).get(0));
    Value copy = dense(b, pieces.get(1));
    Value alone = backward(b, "copy", copy, gain, dy);
    b.output("alone", alone);
    List<Value> ranges = List.of(pieces.get(0), pieces.get(1), left, right);
    return new Packed(b.build(), List.of(copy, alone), ranges);
  }

  private static Value backward(GraphBuilder b, String name, Value x, Value gain, Value dy) {
    List<Value> normed = b.add(new RmsNorm(1e-5f), x, gain);
    RmsNormGradient op = new RmsNormGradient(false, Accumulation.FRESH);
    List<Value> gradients = b.add(op, x, gain, normed.get(1), dy);
    b.output(name + " y", normed.get(0));
    b.output(name + " dgain", gradients.get(1));
    return gradients.get(0);
  }

  private static void check(Packed packed) {
    Layout layout = Layout.of(packed.graph, Precision.BF16, GroupRules.ALL);
    for (Value value : packed.dense) {
      assertThat(layout.stored(value).rowStride()).as("%s", value).isEqualTo(value.shape().dim(1));
    }
    for (Value value : packed.ranges) {
      assertThat(layout.stored(value).rowStride())
          .as("%s", value)
          .isGreaterThan(value.shape().dim(1));
    }
  }

  @Test
  void theGraphsHaveTheStridesThatAreMeant() {
    check(attention(new AttentionShape(4, 2, 64, SEQUENCE)));
    check(attention(new AttentionShape(2, 1, 80, SEQUENCE)));
    check(norm(33, 64, 4));
    check(norm(33, 12, 2));
    check(norm(33, 48, 1));
  }

  @Tag("gpu")
  @ParameterizedTest
  @ValueSource(ints = {16, 64, 80, 128, 256})
  void attentionTakesValuesFurtherApartThanKeys(int headDim) {
    AttentionShape shape = new AttentionShape(4, 2, headDim, SEQUENCE, 100);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
    Map<String, double[]> contents = new HashMap<>();
    contents.put("joint", beside(beside(inputs.q(), inputs.k()), inputs.v()));
    contents.put("dO", inputs.dO());
    contents.put("joint rows", IntStream.range(0, SEQUENCE).asDoubleStream().toArray());
    contents.put("dO rows", IntStream.range(0, SEQUENCE).asDoubleStream().toArray());
    try (Backend backend = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
        AttentionRun plain = new AttentionRun(backend, shape, 1, false);
        PoisonedRun packed = new PoisonedRun(backend, attention(shape).graph)) {
      PlainAttention.Result expected = inputs.on(plain);
      Map<String, double[]> found = packed.run(contents, Float.NaN);
      assertThat(Contents.at(found, "o")).isEqualTo(expected.o());
      assertThat(Contents.at(found, "lse")).isEqualTo(expected.lse());
      assertThat(Contents.at(found, "dk")).isEqualTo(expected.dk());
      assertThat(Contents.at(found, "dq and dv")).isEqualTo(beside(expected.dq(), expected.dv()));
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @ValueSource(ints = {12, 64, 128, 1032})
  void aNormTakesHeadsOfWiderRows(int width) {
    int tokens = 33;
    for (int heads : new int[] {1, 2, 5}) {
      Map<String, double[]> contents = new HashMap<>();
      AttentionShape shape = new AttentionShape(heads, heads, width, tokens);
      AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
      contents.put("joint", besideRows(inputs.q(), inputs.k(), tokens));
      contents.put("dy", inputs.dO());
      contents.put("gain", Arrays.copyOf(inputs.v(), width));
      contents.put("joint rows", IntStream.range(0, tokens).asDoubleStream().toArray());
      contents.put("dy rows", IntStream.range(0, tokens).asDoubleStream().toArray());
      try (Backend backend = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
          PoisonedRun run = new PoisonedRun(backend, norm(tokens, width, heads).graph)) {
        Map<String, double[]> found = run.run(contents, Float.NaN);
        assertThat(Contents.at(found, "right y")).isEqualTo(Contents.at(found, "copy y"));
        assertThat(Contents.at(found, "right dgain")).isEqualTo(Contents.at(found, "copy dgain"));
        double[] both = Contents.at(found, "packed");
        double[] alone = Contents.at(found, "alone");
        for (int i = 0; i < alone.length; i++) {
          int columns = width * heads;
          assertThat(both[i / columns * 2 * columns + columns + i % columns]).isEqualTo(alone[i]);
        }
      }
    }
  }

  private static double[] beside(double[] left, double[] right) {
    return besideRows(left, right, SEQUENCE);
  }

  /** [left right] of matrices with so many rows. */
  private static double[] besideRows(double[] left, double[] right, int rows) {
    int wide = left.length / rows;
    int narrow = right.length / rows;
    double[] both = new double[left.length + right.length];
    for (int row = 0; row < rows; row++) {
      System.arraycopy(left, row * wide, both, row * (wide + narrow), wide);
      System.arraycopy(right, row * narrow, both, row * (wide + narrow) + wide, narrow);
    }
    return both;
  }
}
