package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.autodiff.WithoutGradient;
import dev.kindling.kernels.backend.MatmulKind;
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
import dev.kindling.kernels.testing.OpCase;
import dev.kindling.kernels.testing.OpCases;
import dev.kindling.kernels.testing.Oracle;
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
    for (MatmulKind kind : MatmulKind.values()) {
      check(line, false, 1, kind);
    }
    check(line, true, 2, MatmulKind.OPENBLAS);
  }

  /**
   * {@code inside}: matrices come from a node and die in the operation, so that outputs take their
   * memory.
   */
  private static void check(OpCase line, boolean inside, int threads, MatmulKind kind) {
    List<double[]> values = line.values(SEED);
    List<double[]> expected = Oracle.evaluate(line.op(), line.types(), values);
    GraphBuilder builder = new GraphBuilder();
    Value[] inputs = new Value[values.size()];
    Map<String, double[]> given = new HashMap<>();
    for (int i = 0; i < inputs.length; i++) {
      ValueType type = line.types().get(i);
      Value value = builder.variable(new Variable("in" + i, type, Role.INPUT));
      boolean moved = inside && type.dtype() == DType.F32 && type.shape().rank() == 2;
      inputs[i] =
          moved ? builder.add(new SplitColumns(List.of(type.shape().dim(1))), value).get(0) : value;
      given.put("in" + i, values.get(i));
    }
    List<Value> outputs = builder.add(line.op(), inputs);
    for (int i = 0; i < outputs.size(); i++) {
      builder.output("out" + i, outputs.get(i));
    }
    Graph graph = builder.build();
    Map<String, double[]> after = CpuRun.run(graph, given, threads, kind);
    for (int i = 0; i < expected.size(); i++) {
      assertThat(error(Contents.at(after, "out" + i), expected.get(i)))
          .as("%s output %d inside=%s %s seed %d", line, i, inside, kind, SEED)
          .isLessThanOrEqualTo(line.tolerance());
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
    Map<Class<? extends Op>, CpuKernel> kernels = CpuKernels.table(new RopeCpu());
    for (Class<?> type : Op.class.getPermittedSubclasses()) {
      assertThat(kernels).as("CPU kernel").containsKey(type.asSubclass(Op.class));
      assertThat(covered).as("case").contains(type);
      boolean writesGradient =
          Arrays.stream(type.getDeclaredMethods()).anyMatch(m -> m.getName().equals("gradient"));
      boolean reason = WithoutGradient.REASONS.containsKey(type.asSubclass(Op.class));
      assertThat(writesGradient).as(type + ": gradient or else a reason").isNotEqualTo(reason);
    }
    assertThat(kernels).hasSize(Op.class.getPermittedSubclasses().length);
  }
}
