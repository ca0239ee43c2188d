package dev.kindling.worker.model;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.optim.rule.UpdateRule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One rank without worker and data: logits, gradients and updates of a model on any device. */
final class TrainingBench implements AutoCloseable {
  private final ModelFamily family;
  private final UpdateRule rule;
  private final Backend backend;
  private final int tokens;
  private final int sequence;
  private final boolean maskDocuments;
  private final Memory memory;
  private final Program forward;
  private final Program accumulate;
  private final Program update;

  /** Sequences of equal length; documents are told apart inside them if {@code maskDocuments}. */
  record Layout(int tokens, int sequence, boolean maskDocuments) {}

  TrainingBench(ModelFamily family, UpdateRule rule, Backend backend, Layout layout) {
    this.family = family;
    this.rule = rule;
    this.backend = backend;
    this.tokens = layout.tokens();
    this.sequence = layout.sequence();
    this.maskDocuments = layout.maskDocuments();
    List<Graph> graphs = List.of(forwardGraph(), accumulateGraph(), updateGraph());
    Set<Variable> variables = new LinkedHashSet<>();
    graphs.forEach(graph -> variables.addAll(graph.variables()));
    memory = backend.allocate(List.copyOf(variables));
    forward = backend.compile(graphs.get(0), memory, Map.of());
    accumulate = backend.compile(graphs.get(1), memory, Map.of());
    update = backend.compile(graphs.get(2), memory, Map.of());
    span(ModelInputs.POSITIONS).put(restarting(List.of(sequence)));
  }

  private Value logits(GraphBuilder b) {
    ModelInputs in = ModelInputs.declare(b, tokens, sequence, maskDocuments);
    return family.logits(b, in, new Full());
  }

  private Graph forwardGraph() {
    GraphBuilder b = new GraphBuilder();
    b.output("logits", logits(b));
    return b.build();
  }

  private Graph accumulateGraph() {
    GraphBuilder b = new GraphBuilder();
    Value logits = logits(b);
    Value targets = b.input("targets", Shape.of(tokens), DType.I32);
    LossValues loss = b.crossEntropy(logits, targets);
    Autodiff.gradients(b, loss.lossSum());
    return b.build();
  }

  private Graph updateGraph() {
    GraphBuilder b = new GraphBuilder();
    Map<Param, Value> gradients = new LinkedHashMap<>();
    for (Param p : family.parameters()) {
      b.param(p);
      gradients.put(p, b.variable(new Variable("grad/" + p.name(), p.type(), Role.GRADIENT)));
    }
    ValueType scalar = new ValueType(Shape.of(1), DType.F32);
    b.variable(new Variable(Autodiff.LOSS_SUM, scalar, Role.GRADIENT));
    Value count = b.variable(new Variable(Autodiff.TOKEN_COUNT, scalar, Role.GRADIENT));
    List<Value> parts = new ArrayList<>(gradients.values());
    parts.add(count);
    Value norm = b.add(new GlobalNorm(), parts.toArray(Value[]::new)).get(0);
    Value scale = b.add(new ClipScale(), norm, count, b.step()).get(0);
    gradients.forEach(
        (p, gradient) -> {
          Map<String, Value> state = new LinkedHashMap<>();
          for (StateVariable variable : rule.state(p, p.shape())) {
            state.put(variable.suffix(), b.variable(variable.variable()));
          }
          rule.emit(b, p, gradient, state, scale, b.step());
        });
    return b.build();
  }

  /** Positions that restart at each document of every sequence. */
  private int[] restarting(List<Integer> lengths) {
    int[] positions = new int[tokens];
    int at = 0;
    while (at < tokens) {
      for (int length : lengths) {
        for (int i = 0; i < length; i++) {
          positions[at++] = i;
        }
      }
    }
    return positions;
  }

  /** Declares documents of these lengths in every sequence. */
  void documents(List<Integer> lengths) {
    int[] positions = restarting(lengths);
    int[] segments = new int[tokens];
    int document = -1;
    for (int i = 0; i < tokens; i++) {
      document += positions[i] == 0 ? 1 : 0;
      segments[i] = document;
    }
    span(ModelInputs.POSITIONS).put(positions);
    span(ModelInputs.SEGMENTS).put(segments);
  }

  Span span(String variable) {
    return memory.span(variable);
  }

  /** Hands what was written into the span to the device. */
  void publish(String variable) {
    memory.publish(variable);
  }

  /** What the device holds. */
  float[] content(String variable) {
    memory.fetch(variable);
    return span(variable).toFloats();
  }

  float[] logits(int[] ids) {
    span(ModelInputs.TOKENS).put(ids);
    forward.run();
    return span("logits").toFloats();
  }

  /** Zeroes all gradients, the loss and the token count. */
  void clearGradients() {
    memory.clear(Role.GRADIENT);
  }

  /** Adds the gradients of one micro-step. */
  void accumulate(int[] ids, int[] targets) {
    span(ModelInputs.TOKENS).put(ids);
    span("targets").put(targets);
    accumulate.run();
  }

  /** Mean loss of the micro-steps since {@link #clearGradients}. */
  float loss() {
    return content(Autodiff.LOSS_SUM)[0] / content(Autodiff.TOKEN_COUNT)[0];
  }

  void update(long step, double lrFactor) {
    rule.fillStep(memory.arena(Role.STEP), step, lrFactor);
    update.run();
  }

  @Override
  public void close() {
    update.close();
    accumulate.close();
    forward.close();
    memory.close();
    backend.close();
  }
}
