package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.testing.SketchedLayers;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What sketches of many matrices launch, told without a device. */
class SketchCudaTest {
  private static final int LAYERS = 3;

  /** Tall, square, and wide without and with columns in multiples of 8; no edge fills a tile. */
  private static final List<Shape> SHAPES =
      List.of(
          Shape.of(208, 12),
          Shape.of(72, 72),
          Shape.of(72, 72),
          Shape.of(13, 207),
          Shape.of(70, 264));

  private static SketchedLayers layers(int rank, Role gradients, boolean together) {
    return new SketchedLayers(SHAPES, LAYERS, rank, gradients, together);
  }

  private static Layout layout(SketchedLayers layers, Precision precision) {
    Graph graph = layers.graph();
    Layout layout = Layout.of(graph, precision, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    return layout;
  }

  private static List<Group> sketches(Layout layout) {
    return layout.groups().stream()
        .filter(group -> group.nodes().get(0).op() instanceof Sketch)
        .toList();
  }

  private static Binding bound(Layout layout, Group group, boolean bf16) {
    Graph graph = layout.graph();
    Anywhere variables = new Anywhere(RoleArenas.of(graph.variables(), List.of(graph), bf16));
    Binding.Place place = new Binding.Place(layout, variables, null, 132, 1L << 43, Map.of());
    Binding binding = Binding.dry(place, group);
    CudaKernels.bind(binding);
    return binding;
  }

  private static List<String> launches(Binding binding) {
    return binding.commands().stream().map(Command::toString).toList();
  }

  @Test
  void sketchesOfOneUpdateAreOneGroupAndThoseOfLayerwiseUpdatesAreNone() {
    for (Precision precision : Precision.values()) {
      for (Role role : List.of(Role.GRADIENT, Role.FRESH_GRADIENT)) {
        List<Group> together = sketches(layout(layers(4, role, true), precision));
        assertThat(together).hasSize(1);
        assertThat(together.get(0).kind()).isEqualTo(Group.Kind.UPDATE);
        assertThat(together.get(0).nodes()).hasSize(LAYERS * SHAPES.size());
        // Each would keep its gradient alive until the last one is there.
        assertThat(sketches(layout(layers(4, role, false), precision)))
            .hasSize(LAYERS * SHAPES.size())
            .allMatch(group -> group.nodes().size() == 1);
      }
    }
  }

  @Test
  void aRankOfOneIsFiveLaunchesOverAnyNumberOfMatrices() {
    Layout layout = layout(layers(1, Role.FRESH_GRADIENT, true), Precision.BF16);
    Binding binding = bound(layout, sketches(layout).get(0), true);
    // 26 and twice 9 blocks of 8 rows; 7 runs of columns of one strip; 2 wide runs of two strips.
    assertThat(launches(binding))
        .containsExactly(
            "kernel sketch_numbers_bf16<<<(1," + 5 * LAYERS + "), 256, 0>>>",
            "kernel sketch_rows_bf16<<<(" + 44 * LAYERS + ",1), 256, 0>>>",
            "kernel sketch_columns_bf16<<<(" + 7 * LAYERS + ",1), 256, 0>>>",
            "kernel sketch_columns_wide_bf16<<<(" + 4 * LAYERS + ",1), 256, 0>>>",
            "kernel sketch_columns_total<<<(2," + 2 * LAYERS + "), 256, 0>>>");
    assertThat(binding.asked()).isEmpty();
  }

  @Test
  void productsReachEveryMatrixOnceAndThoseOfAllLayersAreOne() {
    for (Role role : List.of(Role.GRADIENT, Role.FRESH_GRADIENT)) {
      for (Precision precision : Precision.values()) {
        Layout layout = layout(layers(9, role, true), precision);
        Group group = sketches(layout).get(0);
        boolean bf16 = precision == Precision.BF16;
        Binding binding = bound(layout, group, bf16);
        Set<List<Long>> left = new HashSet<>();
        boolean copies = bf16 && role == Role.GRADIENT;
        for (Node node : group.nodes()) {
          long gradient = copies ? 0 : binding.in(node, 0).address();
          left.add(List.of(gradient, binding.out(node, 0).address()));
        }
        int bytes = bf16 ? 2 : 4;
        List<long[]> scratch = new ArrayList<>();
        for (Binding.Asked asked : binding.asked()) {
          ProductBatch batch = asked.batch();
          for (int i = 0; i < batch.count(); i++) {
            long a = asked.a() + i * batch.apartA() * bytes;
            assertThat(left.remove(List.of(copies ? 0 : a, asked.d() + i * batch.apartD() * 4)))
                .as("%s of %s", i, asked)
                .isTrue();
            int contracted = batch.shape().k();
            long numbers = asked.b() + i * batch.apartB() * bytes;
            scratch.add(new long[] {numbers, numbers + 9L * contracted * bytes});
            if (copies) {
              scratch.add(new long[] {a, a + 2L * batch.shape().m() * contracted});
            }
          }
        }
        assertThat(left).isEmpty();
        // Square matrices of a layer lie side by side: copies of all six are one product.
        assertThat(binding.asked()).hasSize(copies ? SHAPES.size() - 1 : SHAPES.size());
        scratch.sort((one, other) -> Long.compare(one[0], other[0]));
        for (int i = 1; i < scratch.size(); i++) {
          assertThat(scratch.get(i)[0]).isGreaterThanOrEqualTo(scratch.get(i - 1)[1]);
        }
        assertThat(scratch.get(scratch.size() - 1)[1]).isLessThanOrEqualTo(binding.scratchBytes());
      }
    }
  }

  /** 4 MiB of numbers a matrix, and with a copy of the gradient 36. */
  @Test
  void scratchIsBoundedByMoreLaunches() {
    for (Role role : List.of(Role.FRESH_GRADIENT, Role.GRADIENT)) {
      SketchedLayers layers =
          new SketchedLayers(List.of(Shape.of(4096, 4096)), 40, 512, role, true);
      Layout layout = layout(layers, Precision.BF16);
      Binding binding = bound(layout, sketches(layout).get(0), true);
      int together = role == Role.GRADIENT ? 3 : 32;
      assertThat(binding.scratchBytes())
          .isEqualTo(together * (role == Role.GRADIENT ? 36L << 20 : 4L << 20));
      assertThat(binding.asked().stream().mapToInt(asked -> asked.batch().count()).sum())
          .isEqualTo(40);
      assertThat(binding.asked()).hasSize((40 + together - 1) / together);
      assertThat(binding.commands()).hasSize(binding.asked().size());
    }
  }

  /** A matrix beyond the bound goes alone. */
  @Test
  void aMatrixBeyondTheBoundGoesAlone() {
    SketchedLayers layers =
        new SketchedLayers(List.of(Shape.of(16384, 8192)), 2, 1024, Role.GRADIENT, true);
    Layout layout = layout(layers, Precision.BF16);
    Binding binding = bound(layout, sketches(layout).get(0), true);
    assertThat(binding.scratchBytes()).isEqualTo((16L << 20) + (256L << 20));
    assertThat(binding.asked()).hasSize(2);
  }
}
