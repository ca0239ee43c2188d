package dev.kindling.worker.step;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.worker.model.ModelInputs;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What a step costs, counted from its graphs without running anything.
 *
 * @param stages the graph after each pass, in pass order
 * @param variableBytes bytes of one rank by lifetime class, over all programs of the step
 * @param activationBytes the largest activation arena of any program
 * @param parameters trained scalars
 * @param flops of one rank and step
 * @param bytes read and written by one rank in one step if no cache existed
 * @param reducedBytes bytes that one rank hands to all-reduce in one step
 */
public record StepStages(
    List<Stage> stages,
    Map<Role, Long> variableBytes,
    long activationBytes,
    long parameters,
    long flops,
    long bytes,
    long reducedBytes) {

  /** A graph after a pass; {@code activationBytes} is the planned peak of one rank. */
  public record Stage(String pass, int nodes, long activationBytes, long flops, long bytes) {
    static Stage of(String pass, Graph graph, ToLongFunction<Graph> activations) {
      return new Stage(
          pass, graph.nodes().size(), activations.applyAsLong(graph), graph.flops(), graph.bytes());
    }
  }

  /**
   * On the CPU.
   *
   * @param accumulation micro-steps per step, at least 1
   */
  public static StepStages of(StepGraphs graphs, int accumulation) {
    return of(graphs, accumulation, graph -> MemoryPlan.of(graph).totalBytes());
  }

  /**
   * @param accumulation micro-steps per step, at least 1
   * @param activations bytes of the activation arena that a device wants for a graph
   */
  public static StepStages of(
      StepGraphs graphs, int accumulation, ToLongFunction<Graph> activations) {
    List<Stage> stages = forwardAndBackward(graphs, activations);
    List<Graph> programs = graphs.programs();
    Graph accumulate = programs.get(0);
    Graph finish = programs.get(1);
    stages.add(Stage.of("reduce, update, schedule", finish, activations));
    long peak = programs.stream().mapToLong(activations).max().orElse(0);
    return new StepStages(
        stages,
        variableBytes(programs),
        peak,
        finish.params().stream().mapToLong(p -> p.shape().elements()).sum(),
        (accumulation - 1) * accumulate.flops() + finish.flops(),
        (accumulation - 1) * accumulate.bytes() + finish.bytes(),
        reducedBytes(finish));
  }

  /** The passes that the builder runs by itself, one at a time. */
  private static List<Stage> forwardAndBackward(
      StepGraphs graphs, ToLongFunction<Graph> activations) {
    StepShape shape = graphs.shape();
    GraphBuilder b = new GraphBuilder();
    ModelInputs in =
        ModelInputs.declare(b, shape.microTokens(), shape.sequence(), shape.maskDocuments());
    LossValues loss =
        b.crossEntropy(
            graphs.model().logits(b, in, graphs.projection()),
            b.input(StepGraphs.TARGETS, Shape.of(shape.microTokens()), DType.I32));
    List<Stage> stages = new ArrayList<>();
    stages.add(Stage.of("write", b.graph(), activations));
    b.fuse();
    stages.add(Stage.of("fuse", b.graph(), activations));
    Autodiff.gradients(b, loss.lossSum());
    stages.add(Stage.of("differentiate", b.graph(), activations));
    if (!shape.saving().equals(MemorySaving.NONE)) {
      shape.saving().apply(b);
      stages.add(Stage.of("save memory", b.graph(), activations));
    }
    return stages;
  }

  private static Map<Role, Long> variableBytes(List<Graph> programs) {
    Map<String, Variable> byName = new LinkedHashMap<>();
    for (Graph program : programs) {
      program.variables().forEach(v -> byName.putIfAbsent(v.name(), v));
    }
    Map<Role, Long> bytes = new LinkedHashMap<>();
    for (Role role : Role.values()) {
      long sum =
          byName.values().stream()
              .filter(v -> v.role() == role)
              .mapToLong(v -> v.type().bytes())
              .sum();
      if (sum > 0) {
        bytes.put(role, sum);
      }
    }
    return bytes;
  }

  private static long reducedBytes(Graph finish) {
    long bytes = 0;
    for (Node node : finish.nodes()) {
      if (node.op() instanceof AllReduce) {
        bytes += node.inputTypes().stream().mapToLong(ValueType::bytes).sum();
      }
    }
    return bytes;
  }

  /** Variables and the largest activation arena: what one rank allocates. */
  public long rankBytes() {
    return activationBytes + variableBytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Bytes that one rank sends per step: a bandwidth-optimal all-reduce sends each byte twice. */
  public long sentBytes(int ranks) {
    return 2 * reducedBytes * (ranks - 1) / ranks;
  }
}
