package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SelfTestTest {
  /**
   * Products are the library's, collectives want company, residual norms are the kernels of norms.
   */
  private static final Set<Class<?>> ELSEWHERE =
      Set.of(
          Linear.class,
          LinearInputGradient.class,
          LinearOnto.class,
          LinearWeightGradient.class,
          ResidualLayerNorm.class,
          ResidualRmsNorm.class);

  @Test
  void everyOperationSpeaksOnce() {
    Set<Class<?>> spoken =
        SelfTestGraph.of(Precision.BF16, AttentionCuda.WIDE_SHARED).nodes().stream()
            .map(node -> node.op().getClass())
            .collect(Collectors.toSet());
    Set<Class<?>> expected =
        Arrays.stream(Op.class.getPermittedSubclasses())
            .filter(type -> !ELSEWHERE.contains(type) && !Collective.class.isAssignableFrom(type))
            .collect(Collectors.toSet());
    assertThat(spoken).containsAll(expected);
  }

  @ParameterizedTest
  @EnumSource
  void itsLayoutComputesIt(Precision precision) {
    Graph graph = SelfTestGraph.of(precision, AttentionCuda.WIDE_SHARED);
    LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.NONE));
  }

  /** Updates of many tensors in one launch among them. */
  @ParameterizedTest
  @EnumSource
  void everyGroupIsBoundDry(Precision precision) {
    Graph graph = SelfTestGraph.of(precision, AttentionCuda.WIDE_SHARED);
    CudaBytes bytes = CudaBytes.of(graph.variables(), List.of(graph), precision, 132);
    assertThat(bytes.scratch()).isPositive();
    assertThat(bytes.constants()).isPositive();
  }

  @ParameterizedTest
  @EnumSource
  void everyOutputIsTellingAndFinite(Precision precision) {
    Graph graph = SelfTestGraph.of(precision, AttentionCuda.WIDE_SHARED);
    Map<String, float[]> outputs = SelfTest.onCpu(graph);
    long shown = graph.variables().stream().filter(v -> v.role() == Role.OUTPUT).count();
    assertThat(outputs).hasSize(Math.toIntExact(shown));
    outputs.forEach(
        (name, values) -> {
          float largest = 0;
          for (float value : values) {
            assertThat(value).as(name).isFinite();
            largest = Math.max(largest, Math.abs(value));
          }
          assertThat(largest).as(name).isGreaterThan(1e-3f);
        });
  }

  @ParameterizedTest
  @EnumSource
  void anOutputOfZerosNamesItsOperation(Precision precision) {
    Graph graph = SelfTestGraph.of(precision, AttentionCuda.WIDE_SHARED);
    Map<String, float[]> expected = SelfTest.onCpu(graph);
    assertThatCode(() -> SelfTest.compare(graph, expected, expected, precision))
        .doesNotThrowAnyException();
    for (Node node : graph.nodes()) {
      Variable shown = node.inputs().size() < 2 ? null : graph.contents().get(node.input(1).id());
      if (shown != null && shown.role() == Role.OUTPUT) {
        Map<String, float[]> found = new HashMap<>(expected);
        found.put(shown.name(), new float[expected.get(shown.name()).length]);
        assertThatThrownBy(() -> SelfTest.compare(graph, found, expected, precision))
            .isInstanceOf(DeviceException.class)
            .hasMessageContaining("self-test")
            .hasMessageContaining(node.input(0).toString());
      }
    }
  }

  @Test
  void aWaitIsAsLongOnTheDeviceAsOnTheHost() {
    assertThatCode(() -> SelfTest.compareWait(10_500_000, 10_000_000, 11_000_000))
        .doesNotThrowAnyException();
    for (long wrong : new long[] {0, 10_000, 10_500_000_000L, -10_500_000}) {
      assertThatThrownBy(() -> SelfTest.compareWait(wrong, 10_000_000, 11_000_000))
          .isInstanceOf(DeviceException.class)
          .hasMessageContaining("expected 10000000 to 11000000 ns, found " + wrong);
    }
  }
}
