package dev.kindling.kernels.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.cuda.cudnn.AttentionLayout.RowStrides;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.Cast;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.GroupSum;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.KeyRows;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.QueryGradient;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The graphs as described, evaluated in fp64, against attention written as loops. */
class AttentionGraphTest {
  private static final Offset<Double> ROUNDING = within(1e-6);

  record Case(boolean packed, int kvHeads, BackwardForm form) {
    AttentionLayout layout() {
      RowStrides rows = packed ? RowStrides.packed(4, kvHeads, 8) : RowStrides.dense(4, kvHeads, 8);
      return new AttentionLayout(2, 5, 4, kvHeads, 8, rows, rows);
    }
  }

  static Stream<Case> cases() {
    List<BackwardForm> forms = new ArrayList<>();
    for (QueryGradient query : QueryGradient.values()) {
      for (GroupSum group : GroupSum.values()) {
        for (KeyRows key : KeyRows.values()) {
          for (Cast cast : Cast.values()) {
            forms.add(new BackwardForm(query, group, key, cast));
          }
        }
      }
    }
    return forms.stream()
        .flatMap(
            form ->
                Stream.of(1, 2, 4)
                    .flatMap(
                        kvHeads ->
                            Stream.of(false, true).map(packed -> new Case(packed, kvHeads, form))));
  }

  private final SplittableRandom random = new SplittableRandom(7);

  private double[] normal(int count) {
    double[] values = new double[count];
    Arrays.setAll(values, i -> random.nextGaussian());
    return values;
  }

  /** Places of q, k and v: pieces of one matrix, or a matrix each. */
  private static final class Matrices {
    final double[][] memory;
    final int[] offsets;

    Matrices(Case test, int rows) {
      int[] widths = {4 * 8, test.kvHeads * 8, test.kvHeads * 8};
      if (test.packed) {
        double[] all = new double[rows * (widths[0] + 2 * widths[1])];
        memory = new double[][] {all, all, all};
        offsets = new int[] {0, widths[0], widths[0] + widths[1]};
      } else {
        memory = new double[3][];
        Arrays.setAll(memory, i -> new double[rows * widths[i]]);
        offsets = new int[3];
      }
    }

    void copy(boolean in, int piece, double[] dense, int rows) {
      int width = dense.length / rows;
      int stride = memory[piece].length / rows;
      for (int row = 0; row < rows; row++) {
        int at = offsets[piece] + row * stride;
        if (in) {
          System.arraycopy(dense, row * width, memory[piece], at, width);
        } else {
          System.arraycopy(memory[piece], at, dense, row * width, width);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void graphs_are_attention_and_its_gradient(Case test) {
    AttentionLayout layout = test.layout();
    int rows = layout.batch() * layout.tokens();
    double[] q = normal(rows * 32);
    double[] k = normal(rows * test.kvHeads * 8);
    double[] v = normal(rows * test.kvHeads * 8);
    double[] dO = normal(rows * 32);
    AttentionReference expected = new AttentionReference(layout, q, k, v, dO);
    Matrices in = new Matrices(test, rows);
    in.copy(true, 0, q, rows);
    in.copy(true, 1, k, rows);
    in.copy(true, 2, v, rows);

    OperationGraph forward = ForwardGraph.of(layout);
    GraphEvaluation first = evaluation(forward, in, "q", "k", "v");
    first.run(forward);
    double[] o = first.get(forward.tensor("o"));
    double[] lse = first.get(forward.tensor("lse"));
    assertThat(o).containsExactly(expected.o, ROUNDING);
    assertThat(lse).containsExactly(expected.lse, ROUNDING);

    OperationGraph backward = BackwardGraph.of(layout, test.form);
    GraphEvaluation second = evaluation(backward, in, "q", "k", "v");
    if (test.form.key() == KeyRows.BOTH) {
      second.put(backward.tensor(BackwardGraph.KEY_AGAIN), in.memory[1], in.offsets[1]);
    }
    second.put(backward.tensor("o"), o, 0);
    second.put(backward.tensor("do"), dO, 0);
    second.put(backward.tensor("lse"), lse, 0);
    Matrices out = new Matrices(test, rows);
    List<String> gradients = List.of("dq", "dk", "dv");
    for (int i = 0; i < 3; i++) {
      second.put(backward.tensor(gradients.get(i)), out.memory[i], out.offsets[i]);
    }
    second.run(backward);
    List<double[]> wanted = List.of(expected.dQ, expected.dK, expected.dV);
    for (int i = 0; i < 3; i++) {
      double[] found = new double[wanted.get(i).length];
      out.copy(false, i, found, rows);
      assertThat(found).as(gradients.get(i)).containsExactly(wanted.get(i), ROUNDING);
    }
  }

  private static GraphEvaluation evaluation(OperationGraph graph, Matrices at, String... names) {
    GraphEvaluation evaluation = new GraphEvaluation();
    for (int i = 0; i < names.length; i++) {
      evaluation.put(graph.tensor(names[i]), at.memory[i], at.offsets[i]);
    }
    return evaluation;
  }
}
