package dev.kindling.optim.rule;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
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
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A matrix [3, 2] that decays and a vector [5] that does not, updated on the CPU. */
final class UpdateBench implements AutoCloseable {
  static final int ELEMENTS = 11;
  static final int DECAYED = 6;

  private final List<Param> params;
  private final Optimizer rule;
  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final List<Span> blocks = new ArrayList<>();
  private final Memory memory;
  private final Program program;

  UpdateBench(Optimizer rule) {
    this(
        rule,
        List.of(
            new Param("matrix.weight", Shape.of(3, 2), Demand.whole(), Init.normal(1), true),
            new Param("vector.weight", Shape.of(5), Demand.whole(), Init.normal(1), false)));
  }

  /** Other parameters. */
  UpdateBench(Optimizer rule, List<Param> params) {
    this.rule = rule;
    this.params = params;
    Graph graph = write(rule);
    memory = backend.allocate(graph.variables());
    for (int i = 0; i < rule.rules().size(); i++) {
      blocks.add(memory.span(GraphBuilder.stepName(i)));
    }
    program = backend.compile(graph, memory, Map.of());
  }

  private Graph write(Optimizer rule) {
    GraphBuilder b = new GraphBuilder();
    params.forEach(b::param);
    Map<Param, Value> gradients = new LinkedHashMap<>();
    for (Param p : params) {
      Variable gradient =
          new Variable("grad/" + p.name(), new ValueType(p.shape(), DType.F32), Role.GRADIENT);
      gradients.put(p, b.variable(gradient));
    }
    ValueType scalar = new ValueType(Shape.of(1), DType.F32);
    Value count = b.variable(new Variable("token_count", scalar, Role.GRADIENT));
    List<Value> parts = new ArrayList<>(gradients.values());
    parts.add(count);
    Value norm = b.add(new GlobalNorm(), parts.toArray(Value[]::new)).get(0);
    rule.declareSteps(b);
    Value scale = b.add(new ClipScale(), norm, count, b.step()).get(0);
    for (Param p : params) {
      rule.update(b, p, Objects.requireNonNull(gradients.get(p)), scale);
    }
    return b.build();
  }

  void start(float[] values) {
    int at = 0;
    for (Param p : params) {
      Span span = memory.span(p.name());
      for (int i = 0; i < p.shape().elements(); i++) {
        span.putFloat(i, values[at++]);
      }
    }
  }

  /** One update from gradients summed over {@code tokens} tokens. */
  void update(float[] gradientSum, float tokens, long update, double lrFactor) {
    int at = 0;
    for (Param p : params) {
      Span span = memory.span("grad/" + p.name());
      for (int i = 0; i < p.shape().elements(); i++) {
        span.putFloat(i, gradientSum[at++]);
      }
    }
    memory.span("token_count").putFloat(0, tokens);
    Optimizer.fillSteps(rule.rules(), blocks, update, lrFactor);
    program.run();
  }

  Graph graph() {
    return program.graph();
  }

  /** What the allocator reserved for optimizer state. */
  long stateBytes() {
    return memory.bytes(Role.STATE) + memory.bytes(Role.NARROW_STATE);
  }

  float[] parameters() {
    return read(params.stream().map(Param::name).toList());
  }

  float[] state() {
    return read(
        params.stream()
            .flatMap(p -> rule.ruleOf(p).state(p, p.shape()).stream())
            .map(StateVariable::name)
            .toList());
  }

  private float[] read(List<String> names) {
    int count = names.stream().mapToInt(n -> (int) (memory.span(n).bytes() / 4)).sum();
    float[] values = new float[count];
    int at = 0;
    for (String name : names) {
      Span span = memory.span(name);
      for (int i = 0; i < span.bytes() / 4; i++) {
        values[at++] = span.getFloat(i);
      }
    }
    return values;
  }

  @Override
  public void close() {
    program.close();
    memory.close();
    backend.close();
  }
}
