package dev.kindling.kernels.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlainAttentionTest {
  private static final int SEQUENCE = 11;
  private static final int TOKENS = 22;
  private static final double[] DOCUMENTS =
      IntStream.range(0, TOKENS).mapToDouble(t -> Math.floorDiv(t, 4)).toArray();

  private final SplittableRandom random = new SplittableRandom(5);
  private final double[] q = normal(TOKENS * 24);
  private final double[] k = normal(TOKENS * 12);
  private final double[] v = normal(TOKENS * 12);
  private final double[] dO = normal(TOKENS * 24);

  private double[] normal(int count) {
    return random.doubles(count, -1, 1).toArray();
  }

  private static AttentionShape shape(int window) {
    return new AttentionShape(4, 2, 6, SEQUENCE, window);
  }

  @ParameterizedTest
  @CsvSource({"false, 0", "true, 0", "false, 3", "true, 3"})
  void isWhatTheOracleOfTheOperationsSays(boolean documents, int window) {
    AttentionShape shape = shape(window);
    double[] segments = documents ? DOCUMENTS : null;
    PlainAttention.Result found = new PlainAttention(shape, segments, false).evaluate(q, k, v, dO);
    ValueType wide = ValueType.f32(TOKENS, 24);
    ValueType narrow = ValueType.f32(TOKENS, 12);
    ValueType ids = ValueType.i32(TOKENS);
    List<double[]> forward =
        documents
            ? Oracle.evaluate(
                new Attention(shape, true),
                List.of(wide, narrow, narrow, ids),
                List.of(q, k, v, segments))
            : Oracle.evaluate(
                new Attention(shape, false), List.of(wide, narrow, narrow), List.of(q, k, v));
    expectClose(found.o(), forward.get(0));
    expectClose(found.lse(), forward.get(1));
    ValueType lse = ValueType.f32(8, SEQUENCE);
    List<ValueType> types = List.of(wide, narrow, narrow, wide, lse, wide);
    List<double[]> inputs = List.of(q, k, v, found.o(), found.lse(), dO);
    List<double[]> gradients =
        documents
            ? Oracle.evaluate(
                new AttentionGradient(shape, true), with(types, ids), with(inputs, segments))
            : Oracle.evaluate(new AttentionGradient(shape, false), types, inputs);
    expectClose(found.dq(), gradients.get(0));
    expectClose(found.dk(), gradients.get(1));
    expectClose(found.dv(), gradients.get(2));
  }

  private static <E> List<E> with(List<E> first, E last) {
    return java.util.stream.Stream.concat(first.stream(), java.util.stream.Stream.of(last))
        .toList();
  }

  private static void expectClose(double[] found, double[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.length; i++) {
      assertThat(found[i]).isCloseTo(expected[i], within(1e-12));
    }
  }

  @ParameterizedTest
  @CsvSource({"false, 0", "true, 0", "false, 3", "true, 3"})
  void gradientsAreFiniteDifferences(boolean documents, int window) {
    PlainAttention plain = new PlainAttention(shape(window), documents ? DOCUMENTS : null, false);
    PlainAttention.Result found = plain.evaluate(q, k, v, dO);
    double[][] inputs = {q, k, v};
    double[][] gradients = {found.dq(), found.dk(), found.dv()};
    for (int input = 0; input < 3; input++) {
      double[] x = inputs[input];
      for (int i = 0; i < x.length; i += 7) {
        double kept = x[i];
        double h = 1e-5;
        x[i] = kept + h;
        double above = upstream(plain);
        x[i] = kept - h;
        double below = upstream(plain);
        x[i] = kept;
        assertThat((above - below) / (2 * h)).isCloseTo(gradients[input][i], within(1e-8));
      }
    }
  }

  private double upstream(PlainAttention plain) {
    double[] o = plain.evaluate(q, k, v, dO).o();
    return IntStream.range(0, o.length).mapToDouble(i -> o[i] * dO[i]).sum();
  }

  @org.junit.jupiter.api.Test
  void roundingIsOfTheSizeOfBf16() {
    PlainAttention.Result exact = new PlainAttention(shape(0), null, false).evaluate(q, k, v, dO);
    PlainAttention.Result rounded = new PlainAttention(shape(0), null, true).evaluate(q, k, v, dO);
    double error = 0;
    double norm = 0;
    for (int i = 0; i < exact.o().length; i++) {
      error += Math.pow(rounded.o()[i] - exact.o()[i], 2);
      norm += Math.pow(exact.o()[i], 2);
    }
    assertThat(Math.sqrt(error / norm)).isBetween(5e-4, 5e-3);
  }
}
