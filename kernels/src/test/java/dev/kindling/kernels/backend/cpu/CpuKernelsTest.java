package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.autodiff.WithoutGradient;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.Oracle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CpuKernelsTest {
  private static final long SEED = Long.getLong("seed", 20261122L);

  static List<OpCase> cases() {
    return OpCases.all();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void kernelsMatchTheOracle(OpCase line) {
    List<MatmulKind> kinds =
        line.ranks() == 1 ? List.of(MatmulKind.values()) : List.of(MatmulKind.JAVA);
    for (MatmulKind kind : kinds) {
      check(line, false, 1, kind);
    }
    check(line, true, 2, MatmulKind.OPENBLAS);
  }

  /**
   * {@code inside}: matrices come from a node and die in the operation, so that outputs take their
   * memory.
   */
  private static void check(OpCase line, boolean inside, int threads, MatmulKind kind) {
    List<List<double[]>> values = new ArrayList<>();
    List<Map<String, double[]>> given = new ArrayList<>();
    for (int rank = 0; rank < line.ranks(); rank++) {
      values.add(line.values(SEED + rank));
      given.add(new HashMap<>());
    }
    List<List<double[]>> expected = Oracle.evaluateRanks(line.op(), line.types(), values);
    GraphBuilder builder = new GraphBuilder();
    Value[] inputs = new Value[line.types().size()];
    for (int i = 0; i < inputs.length; i++) {
      ValueType type = line.types().get(i);
      Value value = builder.variable(new Variable("in" + i, type, Role.INPUT));
      boolean moved = inside && type.dtype() == DType.F32 && type.shape().rank() == 2;
      inputs[i] =
          moved ? builder.add(new SplitColumns(List.of(type.shape().dim(1))), value).get(0) : value;
      for (int rank = 0; rank < line.ranks(); rank++) {
        given.get(rank).put("in" + i, values.get(rank).get(i));
      }
    }
    List<Value> outputs = builder.add(line.op(), inputs);
    for (int i = 0; i < outputs.size(); i++) {
      builder.output("out" + i, outputs.get(i));
    }
    Graph graph = builder.build();
    List<Map<String, double[]>> after = CpuRun.run(graph, given, threads, kind);
    for (int rank = 0; rank < line.ranks(); rank++) {
      for (int i = 0; i < expected.get(rank).size(); i++) {
        assertThat(error(Contents.at(after.get(rank), "out" + i), expected.get(rank).get(i)))
            .as("%s rank %d output %d inside=%s %s seed %d", line, rank, i, inside, kind, SEED)
            .isLessThanOrEqualTo(line.tolerance());
      }
    }
  }

  private static double error(double[] found, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(found[i] - expected[i], 2);
      norm += expected[i] * expected[i];
    }
    return norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
  }

  @Test
  void everyOperationHasKernelCaseOracleAndGradientOrReason() {
    Set<Class<?>> covered =
        cases().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
    Set<Class<?>> timed =
        OpCases.large().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
    Map<Class<? extends Op>, CpuKernel> kernels = CpuKernels.table(new RopeCpu());
    for (Class<?> type : Op.class.getPermittedSubclasses()) {
      assertThat(kernels).as("CPU kernel").containsKey(type.asSubclass(Op.class));
      assertThat(covered).as("case").contains(type);
      assertThat(timed).as("large case").contains(type);
      boolean writesGradient =
          Arrays.stream(type.getDeclaredMethods()).anyMatch(m -> m.getName().equals("gradient"));
      boolean reason = WithoutGradient.REASONS.containsKey(type.asSubclass(Op.class));
      assertThat(writesGradient).as(type + ": gradient or else a reason").isNotEqualTo(reason);
    }
    assertThat(kernels).hasSize(Op.class.getPermittedSubclasses().length);
  }
}
