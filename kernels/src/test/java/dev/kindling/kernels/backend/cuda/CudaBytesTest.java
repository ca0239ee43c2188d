package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.testing.DeviceCase;
import dev.kindling.kernels.testing.TinyModels;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CudaBytesTest {
  private static final TinyModels MODELS = new TinyModels(512, 128, 128, 640, false);
  private static final int PROCESSORS = 10;

  /** What no output needs: words for faults and for waits. */
  private static final long BEHIND = 64 * 4 + 8 * 8;

  private static CudaBytes of(Graph... programs) {
    return CudaBytes.of(programs[0].variables(), List.of(programs), Precision.BF16, PROCESSORS);
  }

  @Test
  void arenasAreThoseOfTheVariablesAndOfTheLargestLayout() {
    Graph graph = MODELS.llama(name -> Demand.whole());
    CudaBytes bytes = of(graph);
    long parameters = graph.params().stream().mapToLong(p -> p.type().bytes()).sum();
    assertThat(bytes.variables().get(Role.PARAMETER)).isEqualTo(parameters);
    assertThat(bytes.copies()).isEqualTo(parameters / 2);
    // Sums of loss and tokens follow the gradients: a cache line each.
    assertThat(bytes.variables().get(Role.GRADIENT)).isEqualTo(parameters + 2 * 64);
    assertThat(bytes.variables().get(Role.INPUT)).isEqualTo(3 * 512 * 4);
    assertThat(bytes.variables().get(Role.OUTPUT)).isEqualTo(BEHIND);
    // One run computes while the host fills the inputs of the next.
    assertThat(bytes.pinnedHost()).isEqualTo(2 * (3 * 512 * 4 + BEHIND));
    assertThat(bytes.activations())
        .isEqualTo(Layout.of(graph, Precision.BF16, GroupRules.ALL).activationBytes());
    assertThat(bytes.workspace()).isEqualTo(64L << 20);
    assertThat(bytes.total())
        .isEqualTo(
            bytes.variables().values().stream().mapToLong(Long::longValue).sum()
                + bytes.copies()
                + bytes.activations()
                + bytes.scratch()
                + bytes.workspace()
                + bytes.ropeTables()
                + bytes.constants());
  }

  @Test
  void scratchIsThatOfTheHungriestNode() {
    // The embedding's gradient: two orders of 512 ids, one tile of 256 counts, 16 runs of 32 tokens
    // with two open rows of 128; a norm's gradient: 30 blocks of 128.
    long embedding = 2 * 2048 + 1024 + 16 * 2 * 128 * 4;
    long norm = 3L * PROCESSORS * 128 * 4;
    long attention = 2L * 4 * 512 * 2;
    assertThat(of(MODELS.llama(name -> Demand.whole())).scratch())
        .isEqualTo(Math.max(Math.max(embedding, norm), attention));
    assertThat(of(MODELS.llama(name -> Demand.none())).scratch()).isEqualTo(512 * 4);
  }

  @Test
  void ropeTablesAreCountedOncePerKindAndConstantsPerProgram() {
    Graph graph = MODELS.llama(name -> Demand.whole());
    CudaBytes one = of(graph);
    CudaBytes two = of(graph, graph);
    assertThat(one.ropeTables()).isEqualTo(4L * 512 * 64);
    assertThat(two.ropeTables()).isEqualTo(one.ropeTables());
    assertThat(two.activations()).isEqualTo(one.activations());
    assertThat(two.constants()).isEqualTo(2 * one.constants());
    // A table is tensors and their pieces: one makes the bf16 copies again, two sum loss and count.
    long refresh =
        graph.params().stream()
            .mapToLong(param -> 72 + 16 * ((param.shape().elements() + 16383) / 16384))
            .sum();
    assertThat(one.constants()).isEqualTo(refresh + 2 * (72 + 16));
  }

  @Test
  void fp32NeedsNoCopies() {
    GraphBuilder builder = new GraphBuilder();
    Variable x = new Variable("x", ValueType.f32(4, 8), Role.PARAMETER);
    builder.output("y", builder.gelu(builder.variable(x)));
    Graph graph = builder.build();
    CudaBytes bytes = CudaBytes.of(graph.variables(), List.of(graph), Precision.FP32, PROCESSORS);
    assertThat(bytes.copies()).isZero();
    assertThat(bytes.constants()).isZero();
    assertThat(bytes.activations()).isEqualTo(256);
  }

  private static Variable f32(String name, Role role, int... dims) {
    return new Variable(name, ValueType.f32(dims), role);
  }

  /** A piece becomes a working copy, and rank 1 tells a parameter. */
  private static Graph collectives() {
    GraphBuilder builder = new GraphBuilder();
    Value working = builder.variable(f32("working", Role.WORKING, 64, 128));
    AllGather gather = new AllGather(Axis.DATA, 2, true, Optional.of(working.shape()));
    Value piece = builder.variable(f32("piece", Role.SHARD, 64 * 128 / 2));
    Value whole = builder.add(gather, piece, working).get(0);
    Value told = builder.variable(f32("told", Role.PARAMETER, 64, 128));
    told = builder.add(new Broadcast(Axis.DATA, 1), told).get(0);
    Value x = builder.variable(f32("x", Role.INPUT, 8, 128));
    builder.output("y", builder.add(builder.linear(x, whole), builder.linear(x, told)));
    return builder.build();
  }

  @Test
  void collectivesAreBoundWithoutRanks() {
    CudaBytes bytes = of(collectives());
    long matrix = 64 * 128 * 4;
    assertThat(bytes.variables().get(Role.WORKING)).isEqualTo(matrix / 2);
    assertThat(bytes.variables().get(Role.SHARD)).isEqualTo(matrix / 2);
    assertThat(bytes.variables().get(Role.PARAMETER)).isEqualTo(matrix);
    assertThat(bytes.copies()).isEqualTo(matrix / 2);
    // The copy of what was told is made again behind the broadcast, and when the host wrote it.
    assertThat(bytes.constants()).isEqualTo(2 * (72 + 16));
  }

  @Test
  void whatNoKernelComputesIsSaidWithoutADevice() {
    Graph narrow = new TinyModels(64, 32, 12, 40, false).llama(name -> Demand.whole());
    assertThatThrownBy(() -> of(narrow))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("expected head_dim a multiple of 8 up to 256 in bf16, found");
  }

  /** {@code explain} runs where the CUDA bindings are not on the class path. */
  @Test
  void needsNoClassOfTheBindings() throws ReflectiveOperationException {
    Class<?> own = new WithoutBindings().loadClass(Body.class.getName());
    Object bytes = own.getMethod("total").invoke(null);
    assertThat(bytes).isEqualTo(Body.total());
  }

  private static Demand someColumns(String name) {
    return name.endsWith("qkv") ? Demand.columns(1) : Demand.none();
  }

  /** What runs there. */
  public static final class Body {
    private Body() {}

    public static long total() {
      return of(MODELS.llama(name -> Demand.whole())).total()
          + of(MODELS.gpt2(CudaBytesTest::someColumns)).constants()
          + of(collectives()).total();
    }
  }

  /** Defines our classes itself and knows no others than those of the JDK and of the tests. */
  private static final class WithoutBindings extends ClassLoader {
    WithoutBindings() {
      super(CudaBytesTest.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (name.startsWith("jcuda.") || name.startsWith("org.bytedeco.")) {
        throw new ClassNotFoundException(name);
      }
      if (!name.startsWith("dev.kindling.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> known = findLoadedClass(name);
        return known == null ? define(name) : known;
      }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
      try (InputStream code = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
        if (code == null) {
          throw new ClassNotFoundException(name);
        }
        byte[] bytes = code.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException unreadable) {
        throw new ClassNotFoundException(name, unreadable);
      }
    }
  }

  /** Every kernel that reads or writes a gradient binds it in bf16 too. */
  @Test
  void linesWithGradientsInBf16AreBoundDry() {
    int lines = 0;
    for (OpCase line : OpCases.all()) {
      if (!DeviceCase.takesFreshGradients(line)) {
        continue;
      }
      lines++;
      Graph graph = DeviceCase.withFreshGradients(line, 1).graph();
      LayoutCheck.check(graph, Layout.of(graph, Precision.BF16, GroupRules.ALL));
      Map<Role, Long> narrow = of(graph, Precision.BF16).variables();
      Map<Role, Long> wide = of(graph, Precision.FP32).variables();
      assertThat(narrow.get(Role.FRESH_GRADIENT))
          .as("%s", line)
          .isPositive()
          .isLessThanOrEqualTo(wide.get(Role.FRESH_GRADIENT));
    }
    assertThat(lines).isGreaterThan(40);
  }

  /** As the tests on a GPU hand them over: what a kernel refuses there, it refuses here. */
  @Test
  void linesThatKernelsTakeAreBoundDry() {
    int lines = 0;
    for (OpCase line : OpCases.all()) {
      for (Precision precision : Precision.values()) {
        if (line.ranks() == 1 && CudaOperationsTest.isTaken(line.op(), precision)) {
          lines++;
          Graph graph = DeviceCase.of(line, 1).graph();
          LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.ALL));
          assertThat(of(graph, precision).total()).as("%s %s", line, precision).isPositive();
        }
      }
    }
    assertThat(lines).isGreaterThan(1000);
  }

  private static CudaBytes of(Graph graph, Precision precision) {
    return CudaBytes.of(graph.variables(), List.of(graph), precision, 132);
  }
}
