package dev.kindling.optim.rule;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** One hidden matrix that decays, updated by a rule on the CPU from mean gradients. */
final class MatrixBench implements AutoCloseable {
  static final String NAME = "hidden.weight";

  private final UpdateRule rule;
  private final Param matrix;
  private final Backend backend = Backend.cpu(new CpuOptions(2, MatmulKind.JAVA));
  private final Memory memory;
  private final Program program;

  MatrixBench(UpdateRule rule, int rows, int columns) {
    this.rule = rule;
    matrix = new Param(NAME, Shape.of(rows, columns), Demand.whole(), Init.normal(1), true, true);
    GraphBuilder b = new GraphBuilder();
    b.param(matrix);
    Value gradient = b.variable(new Variable("gradient", matrix.type(), Role.GRADIENT));
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    rule.declareSteps(b);
    rule.update(b, matrix, gradient, scale);
    Graph graph = b.build();
    memory = backend.allocate(graph.variables());
    program = backend.compile(graph, memory, Map.of());
  }

  void start(float[] values) {
    memory.span(NAME).put(values);
  }

  void update(float[] gradient, long update, double lrFactor) {
    update(gradient, 1f, update, lrFactor);
  }

  /** From a sum that {@code scale} makes a mean. */
  void update(float[] gradient, float scale, long update, double lrFactor) {
    memory.span("gradient").put(gradient);
    memory.span("scale").putFloat(0, scale);
    List<Span> blocks =
        java.util.stream.IntStream.range(0, rule.rules().size())
            .mapToObj(i -> memory.span(GraphBuilder.stepName(i)))
            .toList();
    Optimizer.fillSteps(rule.rules(), blocks, update, lrFactor);
    program.run();
  }

  float[] weights() {
    return memory.span(NAME).toFloats();
  }

  List<StateVariable> variables() {
    return rule.state(matrix, matrix.shape());
  }

  float[] state(StateVariable variable) {
    return memory.span(variable.name()).toFloats();
  }

  /** State that is no fp32 number. */
  int[] words(StateVariable variable) {
    Span span = memory.span(variable.name());
    int[] words = new int[(int) (span.bytes() / Integer.BYTES)];
    Arrays.setAll(words, span::getInt);
    return words;
  }

  /** Bytes that the arena of states takes. */
  long stateBytes() {
    return memory.arena(Role.STATE).bytes();
  }

  /** Weights and state of another bench, as a checkpoint would bring them back. */
  void resume(MatrixBench from) {
    start(from.weights());
    for (StateVariable variable : variables()) {
      memory.span(variable.name()).put(from.state(variable));
    }
  }

  @Override
  public void close() {
    program.close();
    memory.close();
    backend.close();
  }
}
