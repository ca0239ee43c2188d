package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.rewrite.DequantizeAgain;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.worker.shard.ParameterPlaces;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/**
 * What a step costs, counted from its graphs without running anything.
 *
 * @param stages the graph after each pass, in pass order
 * @param variableBytes bytes of one rank by lifetime class, over all programs of the step
 * @param activationBytes the largest activation arena of any program
 * @param parameters trained scalars
 * @param flops of one rank and step
 * @param bytes read and written by one rank in one step if no cache existed
 * @param traffic what the ranks exchange in one step, by collective
 */
public record StepStages(
    List<Stage> stages,
    Map<Role, Long> variableBytes,
    long activationBytes,
    long parameters,
    long flops,
    long bytes,
    List<Traffic> traffic) {

  /**
   * All calls of one collective in one step. Gradients that a device may narrow count as bf16,
   * everything else in fp32 elements; a device that stores weights in bf16 gathers half of that.
   *
   * @param calls nodes of the graphs; a backend may join neighbours
   * @param bytes that one rank hands in
   * @param sentBytes that one rank sends, as a mean, where no byte is sent needlessly
   */
  public record Traffic(String collective, long calls, long bytes, long sentBytes) {
    private Traffic plus(Traffic other) {
      return new Traffic(
          collective, calls + other.calls, bytes + other.bytes, sentBytes + other.sentBytes);
    }
  }

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
  public static StepStages of(TrainStep graphs, int accumulation) {
    return of(graphs, accumulation, graph -> MemoryPlan.of(graph).totalBytes());
  }

  /**
   * @param accumulation micro-steps per step, at least 1
   * @param activations bytes of the activation arena that a device wants for a graph
   */
  public static StepStages of(
      TrainStep graphs, int accumulation, ToLongFunction<Graph> activations) {
    List<Stage> stages =
        new ArrayList<>(
            graphs instanceof StepGraphs backprop
                ? forwardAndBackward(backprop, activations)
                : forward(graphs, activations));
    Graph accumulate = graphs.accumulate();
    Graph finish = graphs.finish();
    stages.add(
        Stage.of(
            graphs.keepsActivations() ? "reduce, update, schedule" : "exchange, update",
            finish,
            activations));
    List<Graph> programs = graphs.programs();
    long peak = programs.stream().mapToLong(activations).max().orElse(0);
    return new StepStages(
        stages,
        variableBytes(programs),
        peak,
        trained(finish),
        (accumulation - 1) * accumulate.flops() + finish.flops(),
        (accumulation - 1) * accumulate.bytes() + finish.bytes(),
        traffic(accumulate, finish, accumulation, graphs.sharding().ranks()));
  }

  /** The pass before a forward pass is written at two points. */
  private static List<Stage> forward(TrainStep graphs, ToLongFunction<Graph> activations) {
    return List.of(
        Stage.of("write, fuse, save memory", graphs.evaluate(), activations),
        Stage.of("perturb", graphs.accumulate(), activations));
  }

  /** The passes that the builder runs by itself, one at a time. */
  private static List<Stage> forwardAndBackward(
      StepGraphs graphs, ToLongFunction<Graph> activations) {
    StepShape shape = graphs.shape();
    ParameterPlaces places = graphs.sharding().places();
    GraphBuilder b = new GraphBuilder(places);
    LossValues loss = graphs.forward(b);
    List<Stage> stages = new ArrayList<>();
    stages.add(Stage.of("write", b.graph(), activations));
    b.fuse();
    stages.add(Stage.of("fuse", b.graph(), activations));
    graphs.gradients(b, loss.lossSum());
    stages.add(Stage.of("differentiate", b.graph(), activations));
    if (!shape.saving().equals(MemorySaving.NONE)) {
      shape.saving().apply(b);
      stages.add(Stage.of("save memory", b.graph(), activations));
    }
    if (places.settle(b, graphs.model().layers())) {
      stages.add(Stage.of("shard", b.graph(), activations));
    }
    if (!graphs.projection().packed().isEmpty()) {
      b.rewrite(new DequantizeAgain());
      stages.add(Stage.of("unpack again", b.graph(), activations));
    }
    return stages;
  }

  private static long trained(Graph finish) {
    return finish.params().stream()
        .filter(param -> param.demand() instanceof Whole)
        .mapToLong(param -> param.shape().elements())
        .sum();
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

  private static List<Traffic> traffic(
      Graph accumulate, Graph finish, int accumulation, int ranks) {
    Map<String, Traffic> byName = new TreeMap<>();
    add(byName, accumulate, accumulation - 1, ranks);
    add(byName, finish, 1, ranks);
    return List.copyOf(byName.values());
  }

  private static void add(Map<String, Traffic> byName, Graph graph, int runs, int ranks) {
    Set<Integer> narrow = graph.narrowable();
    for (Node node : graph.nodes()) {
      if (runs > 0 && node.op() instanceof Collective collective) {
        String name = node.op().getClass().getSimpleName();
        long wide = handedIn(node).mapToLong(value -> value.type().bytes()).sum();
        long bytes =
            handedIn(node)
                .mapToLong(v -> v.type().bytes() / (narrow.contains(v.id()) ? 2 : 1))
                .sum();
        long sent =
            Math.round(collective.sentBytes(node.inputTypes(), ranks) * ((double) bytes / wide));
        byName.merge(name, new Traffic(name, runs, runs * bytes, runs * sent), Traffic::plus);
      }
    }
  }

  /** Inputs without the variable that a gather writes over. */
  private static Stream<Value> handedIn(Node node) {
    boolean into = node.op() instanceof AllGather gather && gather.into();
    return node.inputs().stream().limit(into ? 1 : node.inputs().size());
  }

  /** Variables and the largest activation arena: what one rank allocates. */
  public long rankBytes() {
    return activationBytes + variableBytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Bytes that one rank sends per step. */
  public long sentBytes() {
    return traffic.stream().mapToLong(Traffic::sentBytes).sum();
  }
}
