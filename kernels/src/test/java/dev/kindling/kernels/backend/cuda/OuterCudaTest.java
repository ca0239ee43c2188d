package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.graph.op.SquaredDistance;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What an outer step launches, told without a device. */
class OuterCudaTest {
  /** One piece, two pieces, one that no vector fills. */
  private static final List<Shape> SHAPES =
      List.of(Shape.of(64, 256), Shape.of(64, 257), Shape.of(7));

  /** A boundary over all shapes. */
  private static final class Boundary {
    final GraphBuilder b = new GraphBuilder();
    final Demand demand;

    Boundary(Demand demand) {
      this.demand = demand;
    }

    Value live(int i) {
      return b.param(new Param("live" + i, SHAPES.get(i), demand, Init.zeros(), true));
    }

    Value array(String name, int i) {
      ValueType type = new ValueType(SHAPES.get(i), DType.F32);
      return b.variable(new Variable(name + i, type, Role.STATE));
    }

    Value state(String name, int... dims) {
      return b.variable(new Variable(name, ValueType.f32(dims), Role.STATE));
    }

    Graph update(Merge merge) {
      for (int i = 0; i < SHAPES.size(); i++) {
        List<Value> inputs =
            new ArrayList<>(
                List.of(array("anchor", i), array("m", i), live(i), array("payload", i)));
        if (merge == Merge.OWN) {
          inputs.add(array("kept", i));
        }
        inputs.add(state("block", OuterScalar.values().length));
        inputs.add(state("gain", 1));
        b.add(new OuterUpdate(merge, true), inputs.toArray(Value[]::new));
      }
      return b.build();
    }

    Graph depart() {
      for (int i = 0; i < SHAPES.size(); i++) {
        b.add(new Depart(), array("anchor", i), live(i), array("payload", i));
      }
      return b.build();
    }

    Graph distance() {
      List<Value> pairs = new ArrayList<>();
      for (int i = 0; i < SHAPES.size(); i++) {
        pairs.add(array("anchor", i));
        pairs.add(live(i));
      }
      b.output("sum", b.add(new SquaredDistance(), pairs.toArray(Value[]::new)).get(0));
      return b.build();
    }
  }

  private static List<String> launches(Graph graph, Precision precision, Class<? extends Op> of) {
    Layout layout = Layout.of(graph, precision, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    boolean bf16 = precision == Precision.BF16;
    Graph laidOut = layout.graph();
    RoleArenas arenas = RoleArenas.of(laidOut.variables(), List.of(laidOut), bf16);
    Anywhere variables = new Anywhere(arenas);
    Binding.Place place = new Binding.Place(layout, variables, null, 132, 1L << 43, Map.of());
    List<String> launches = new ArrayList<>();
    for (Group group : layout.groups()) {
      if (of.isInstance(group.nodes().get(0).op())) {
        Binding binding = Binding.dry(place, group);
        CudaKernels.bind(binding);
        binding.commands().forEach(command -> launches.add(command.toString()));
      }
    }
    return launches;
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void allTensorsOfAHalfAreOneLaunch(Precision precision) {
    for (Merge merge : Merge.values()) {
      Graph graph = new Boundary(Demand.whole()).update(merge);
      assertThat(launches(graph, precision, OuterUpdate.class))
          .containsExactly("kernel outer_tensors<<<(4,1), 256, 0>>>");
    }
    assertThat(launches(new Boundary(Demand.whole()).depart(), precision, Depart.class))
        .containsExactly("kernel depart_tensors<<<(4,1), 256, 0>>>");
    assertThat(launches(new Boundary(Demand.whole()).distance(), precision, SquaredDistance.class))
        .containsExactly(
            "kernel squared_distance_partials<<<(4,1), 256, 0>>>",
            "kernel squared_distance_total<<<(1,1), 1024, 0>>>");
  }

  @Test
  void weightsInBf16AloneAreRefused() {
    for (Graph graph :
        List.of(
            new Boundary(Demand.none()).update(Merge.STALE),
            new Boundary(Demand.none()).depart(),
            new Boundary(Demand.none()).distance())) {
      Class<? extends Op> op = graph.nodes().get(0).op().getClass();
      assertThatThrownBy(() -> launches(graph, Precision.BF16, op))
          .isInstanceOf(DeviceException.class)
          .hasMessageContaining("expected live weights with an fp32 master, found bf16 alone");
    }
  }
}
