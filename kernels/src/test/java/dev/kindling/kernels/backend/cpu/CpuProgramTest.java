package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.ThreadCommunicator;
import dev.kindling.kernels.testing.TinyModels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CpuProgramTest {
  private static final TinyModels MODEL = AllocationProbe.MODEL;

  /** The executor itself: operations whose row kernels hold no exponential. */
  @Test
  void runAllocatesNothing() {
    GraphBuilder builder = new GraphBuilder();
    Value table = builder.variable(new Variable("wte", ValueType.f32(211, 36), Role.PARAMETER));
    Value gain = builder.variable(new Variable("gain", ValueType.f32(36), Role.PARAMETER));
    Value ids = builder.input("ids", Shape.of(130), DType.I32);
    Value positions = builder.input("positions", Shape.of(130), DType.I32);
    Value x = builder.embedding(table, ids);
    Value y = builder.rope(builder.rmsNorm(x, gain, 1e-5f), positions, 18, 100);
    builder.output(
        "logits", builder.linear(builder.rmsNorm(builder.add(x, y), gain, 1e-5f), table));
    assertThat(AllocationProbe.bytes(builder.build(), 0)).isZero();
  }

  /**
   * Whole models, forward and backward. A run leaves 144 bytes, the 16 doubles that fold the
   * losses, or 100,368 where the compiler does not see that some vectors do not escape. In a JVM of
   * its own, because the probes of coverage make that 909,456 or 1,207,056.
   */
  @Test
  void wholeModelsAllocateOnlyBoxedVectors() throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--add-modules=jdk.incubator.vector", "-Xmx1g", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.add(AllocationProbe.class.getName());
    Process probe = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(probe.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(probe.waitFor()).as(output).isZero();
    List<Long> bytes =
        output.lines().filter(line -> line.matches("\\d+")).map(Long::valueOf).toList();
    assertThat(bytes).as(output).hasSize(2).allMatch(each -> each <= 1L << 20);
  }

  /** Freed memory would end the whole process with a signal. */
  @Test
  void nothingRunsOnWhatIsClosed() {
    Graph graph = MODEL.llama(n -> Demand.whole());
    Backend backend = Backend.cpu(new CpuOptions(2, MatmulKind.JAVA));
    Memory memory = backend.allocate(graph.variables());
    Program closed = backend.compile(graph, memory, Map.of());
    Program program = backend.compile(graph, memory, Map.of());
    closed.close();
    assertThatThrownBy(closed::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("this program is closed");
    memory.close();
    memory.close();
    assertThatThrownBy(program::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("this memory is closed");
    assertThatThrownBy(() -> memory.span("ids")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> memory.arena(Role.PARAMETER))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> backend.compile(graph, memory, Map.of()))
        .isInstanceOf(IllegalStateException.class);
    backend.close();
    try (Memory other = backend.allocate(graph.variables());
        Program late = backend.compile(graph, other, Map.of())) {
      assertThatThrownBy(late::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("this backend is closed");
    }
  }

  /** The small program ran on a block that the large one outgrew and gave back. */
  @Test
  void programsShareOneActivationBlockOfTheLargestSize() {
    TinyModels few = new TinyModels(13, 13, 36, 211, true);
    Graph small = few.llama(n -> Demand.whole());
    Map<String, double[]> contents = few.contents(small, 3);
    Map<String, double[]> expected = CpuRun.run(small, contents, 1, MatmulKind.JAVA);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        CpuMemory memory = (CpuMemory) backend.allocate(small.variables());
        Program first = backend.compile(small, memory, Map.of())) {
      long needed = MemoryPlan.of(small).arenaBytes().get(0);
      Span before = memory.workspace(0, 1);
      assertThat(before.bytes()).isEqualTo(needed);
      Span after = memory.workspace(0, 2 * needed);
      memory.scratch(1 << 20);
      assertThat(memory.workspace(0, 1)).isSameAs(after);
      for (Variable variable : small.variables()) {
        double[] content = contents.get(variable.name());
        if (content != null) {
          CpuRun.write(variable, content, memory.span(variable.name()));
        }
      }
      first.run();
      assertThat(after.toFloats())
          .as("values of the run")
          .isNotEqualTo(new float[(int) needed / 2]);
      assertThat((double) memory.span("loss_sum").getFloat(0))
          .isEqualTo(Contents.at(expected, "loss_sum")[0]);
    }
  }

  @Test
  void badTokenIdsNameTheirPosition() {
    Graph graph = MODEL.llama(n -> Demand.whole());
    try (Backend backend = Backend.cpu(new CpuOptions(2, MatmulKind.OPENBLAS));
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of())) {
      AllocationProbe.load(graph, memory);
      memory.span("ids").putInt(77, 211);
      assertThatThrownBy(program::run)
          .isInstanceOf(InputException.class)
          .hasMessageContaining("77")
          .hasMessageContaining("211");
      memory.span("ids").putInt(77, 5);
      memory.span("targets").putInt(3, 400);
      assertThatThrownBy(program::run)
          .isInstanceOf(InputException.class)
          .hasMessageContaining("CrossEntropy")
          .hasMessageContaining("400");
    }
  }

  @Test
  void neighboursBecomeOneCall() {
    GraphBuilder builder = new GraphBuilder();
    Value[] gradients = new Value[3];
    for (int i = 0; i < 3; i++) {
      ValueType type = ValueType.f32(5 + i);
      gradients[i] = builder.variable(new Variable("g" + i, type, Role.GRADIENT));
    }
    builder.add(new AllReduce(Axis.DATA), gradients);
    Graph graph = builder.build();
    ThreadCommunicator communicator = ThreadCommunicator.create(1).get(0);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, communicator))) {
      memory.span("g2").putFloat(6, 3f);
      program.run();
      assertThat(communicator.calls()).isEqualTo(1);
      assertThat(memory.span("g2").getFloat(6)).isEqualTo(3f);
      assertThat(memory.arena(Role.GRADIENT).bytes()).isEqualTo(3L * Span.ALIGNMENT);
      Map<Axis, Communicator> none = Map.of();
      assertThatThrownBy(() -> backend.compile(graph, memory, none))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("DATA");
    }
  }

  @Test
  void packedDocumentsEqualOneSequenceEach() {
    TinyModels packed = new TinyModels(12, 12, 4, 7, true);
    TinyModels single = new TinyModels(12, 3, 4, 7, false);
    Graph joint = packed.llama(n -> Demand.whole());
    Graph apart = single.llama(n -> Demand.whole());
    Map<String, double[]> contents = new java.util.HashMap<>(packed.contents(joint, 5));
    contents.put("positions", single.contents(apart, 5).get("positions"));
    Map<String, double[]> a = CpuRun.run(joint, contents, 1, MatmulKind.JAVA);
    Map<String, double[]> b = CpuRun.run(apart, contents, 1, MatmulKind.JAVA);
    assertThat(Contents.at(a, "loss_sum")[0])
        .isCloseTo(Contents.at(b, "loss_sum")[0], org.assertj.core.api.Assertions.within(1e-4));
    double[] x = Contents.at(a, "grad/h0.q");
    double[] y = Contents.at(b, "grad/h0.q");
    for (int i = 0; i < x.length; i++) {
      assertThat(x[i]).isCloseTo(y[i], org.assertj.core.api.Assertions.within(1e-4));
    }
  }
}
