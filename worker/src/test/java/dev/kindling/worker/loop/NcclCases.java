package dev.kindling.worker.loop;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
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
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Graphs with every collective operation, over small whole numbers: every sum in them is exact in
 * bf16, so a device must agree with the CPU bit for bit. Activations are stored in bf16 where the
 * device does that, variables in fp32.
 */
final class NcclCases {
  private static final int WIDTH = 16;

  private NcclCases() {}

  /** Name to graph. */
  static Map<String, Graph> of(int ranks) {
    Map<String, Graph> cases = new LinkedHashMap<>();
    List<Op> ops =
        List.of(
            new AllReduce(Axis.DATA, false),
            new AllReduce(Axis.DATA),
            new ReduceScatter(Axis.DATA, ranks),
            new AllGather(Axis.DATA, ranks, false),
            new AllToAll(Axis.DATA, ranks),
            new Broadcast(Axis.DATA, ranks - 1),
            new Reduce(Axis.DATA, ranks - 1));
    for (Op op : ops) {
      cases.put("activation " + op, ofActivation(op, ranks));
      cases.put("variable " + op, ofVariable(op, ranks));
    }
    cases.put("several variables, not all neighbours", ofSeveral(ranks));
    cases.put("gradients in bf16 and in fp32 that take turns", ofTwoPrecisions(ranks));
    cases.put("a flat piece of a gradient in bf16 and its update", ofFreshPiece(ranks));
    cases.put("a parameter told by rank 1, then a product with it", toldParameter());
    cases.put("a parameter gathered from its shards, then a product", gatheredParameter(ranks));
    cases.put("a working copy gathered from flat pieces, then a product", working(ranks, true));
    cases.put("flat pieces gathered for a product", working(ranks, false));
    cases.put("sums under way while others are computed", underWay(ranks));
    return cases;
  }

  private static Value variable(GraphBuilder b, String name, Role role, int... dims) {
    return b.variable(new Variable(name, ValueType.f32(dims), role));
  }

  private static Value activation(GraphBuilder b, String name, int rows) {
    Value table = variable(b, name, Role.PARAMETER, rows, WIDTH);
    ValueType ids = new ValueType(Shape.of(rows), DType.I32);
    return b.embedding(table, b.variable(new Variable(name + "/rows", ids, Role.INPUT)));
  }

  private static Graph ofActivation(Op op, int ranks) {
    GraphBuilder b = new GraphBuilder();
    b.output("out/out", b.add(op, activation(b, "in", 3 * ranks)).get(0));
    return b.build();
  }

  private static Graph ofVariable(Op op, int ranks) {
    GraphBuilder b = new GraphBuilder();
    b.output("out/out", b.add(op, variable(b, "in", Role.GRADIENT, 5 * ranks, 3)).get(0));
    return b.build();
  }

  private static Graph ofSeveral(int ranks) {
    GraphBuilder b = new GraphBuilder();
    Value first = variable(b, "first", Role.GRADIENT, 5);
    Value second = variable(b, "second", Role.GRADIENT, 16, 3);
    Value between = variable(b, "between", Role.GRADIENT, 7);
    Value third = variable(b, "third", Role.GRADIENT, 2 * ranks, WIDTH);
    List<Value> sums = b.add(new AllReduce(Axis.DATA), first, second, third);
    for (int i = 0; i < sums.size(); i++) {
      b.output("out/sum" + i, sums.get(i));
    }
    b.output("out/between", between);
    return b.build();
  }

  private static Graph ofTwoPrecisions(int ranks) {
    GraphBuilder b = new GraphBuilder();
    List<Value> sums =
        b.add(
            new AllReduce(Axis.DATA),
            variable(b, "matrix", Role.FRESH_GRADIENT, 16, 3),
            variable(b, "vector", Role.GRADIENT, 5),
            variable(b, "next matrix", Role.FRESH_GRADIENT, 2 * ranks, WIDTH),
            variable(b, "next vector", Role.GRADIENT, 7));
    for (int i = 0; i < sums.size(); i++) {
      b.output("out/sum" + i, sums.get(i));
    }
    return b.build();
  }

  private static Graph ofFreshPiece(int ranks) {
    GraphBuilder b = new GraphBuilder();
    Value matrix = variable(b, "matrix", Role.FRESH_GRADIENT, 3 * ranks, WIDTH);
    Value piece = b.add(new ReduceScatter(Axis.DATA, ranks, true), matrix).get(0);
    b.output("out/piece", piece);
    Value shard = variable(b, "shard", Role.SHARD, 3 * WIDTH);
    Value scale = variable(b, "scale", Role.STATE, 1);
    // Without momentum p - lr scale g: whole numbers times whole numbers.
    b.output("out/shard", b.add(new Sgd(0, 0, false), shard, piece, scale, b.step()).get(0));
    return b.build();
  }

  private static Value weight(GraphBuilder b) {
    return b.param(new Param("w", Shape.of(WIDTH, WIDTH), Demand.none(), Init.zeros(), true));
  }

  private static Graph toldParameter() {
    GraphBuilder b = new GraphBuilder();
    Value told = b.add(new Broadcast(Axis.DATA, 1), weight(b)).get(0);
    b.output("out/y", b.linear(activation(b, "in", 4), told));
    b.output("out/w", told);
    return b.build();
  }

  private static Graph gatheredParameter(int ranks) {
    GraphBuilder b = new GraphBuilder();
    Value shard = variable(b, "shard", Role.STATE, WIDTH / ranks, WIDTH);
    Value whole = b.add(new AllGather(Axis.DATA, ranks, true), shard, weight(b)).get(0);
    b.output("out/y", b.linear(activation(b, "in", 4), whole));
    b.output("out/w", whole);
    return b.build();
  }

  /** The whole is read by a product, so a device narrows the pieces and gathers those. */
  private static Graph working(int ranks, boolean into) {
    GraphBuilder b = new GraphBuilder();
    Shape whole = Shape.of(WIDTH, WIDTH);
    Value piece = variable(b, "piece", Role.SHARD, WIDTH * WIDTH / ranks);
    AllGather gather = new AllGather(Axis.DATA, ranks, into, Optional.of(whole));
    Value gathered =
        into
            ? b.add(gather, piece, variable(b, "working", Role.WORKING, WIDTH, WIDTH)).get(0)
            : b.add(gather, piece).get(0);
    b.output("out/y", b.linear(activation(b, "in", 4), gathered));
    return b.build();
  }

  /** Large enough for the lane to matter; memory of the sums must not be given away meanwhile. */
  private static Graph underWay(int ranks) {
    GraphBuilder b = new GraphBuilder();
    List<Value> sums = new ArrayList<>();
    Value x = activation(b, "in", 2048 * ranks);
    for (int i = 0; i < 4; i++) {
      sums.addAll(b.add(new AllReduce(Axis.DATA, false), x));
      sums.addAll(b.add(new ReduceScatter(Axis.DATA, ranks), x));
      x = b.add(x, activation(b, "in" + i, 2048 * ranks));
    }
    b.output("out/x", x);
    for (int i = 0; i < sums.size(); i++) {
      b.output("out/sum" + i, sums.get(i));
    }
    return b.build();
  }

  /** Outputs of some runs on this rank, each with inputs of its own. */
  static List<Map<String, float[]>> run(Backend backend, Communicator data, Graph graph, int runs) {
    List<Map<String, float[]>> results = new ArrayList<>();
    try (Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, data))) {
      for (int run = 0; run < runs; run++) {
        for (Variable variable : graph.variables()) {
          if (variable.role() != Role.OUTPUT && variable.role() != Role.WORKING) {
            if (variable.type().dtype() == DType.I32) {
              ramp(memory.span(variable.name()));
            } else {
              fill(memory.span(variable.name()), variable.name().hashCode(), data.rank(), run);
            }
            if (variable.role() != Role.INPUT) {
              memory.publish(variable.name());
            }
          }
        }
        program.run();
        results.add(outputs(graph, memory));
      }
    }
    return results;
  }

  private static Map<String, float[]> outputs(Graph graph, Memory memory) {
    Map<String, float[]> outputs = new TreeMap<>();
    for (Variable variable : graph.variables()) {
      if (variable.role() == Role.OUTPUT) {
        outputs.put(variable.name(), memory.span(variable.name()).toFloats());
      }
    }
    return outputs;
  }

  private static void ramp(Span span) {
    for (int i = 0; i < span.bytes() / Integer.BYTES; i++) {
      span.putInt(i, i);
    }
  }

  private static void fill(Span span, int name, int rank, int run) {
    int seed = name * 31 + rank * 7 + run * 3;
    for (int i = 0; i < span.bytes() / Float.BYTES; i++) {
      span.putFloat(i, Math.floorMod(seed + i * i + (i >> 5), 4));
    }
  }

  /** What all ranks get on the CPU, by rank. */
  static List<List<Map<String, float[]>>> expected(Graph graph, int ranks, int runs)
      throws InterruptedException, ExecutionException {
    List<Communicator> world = LoopbackCommunicator.create(ranks);
    ExecutorService threads = Executors.newFixedThreadPool(ranks);
    try {
      List<Future<List<Map<String, float[]>>>> futures = new ArrayList<>();
      for (Communicator data : world) {
        futures.add(
            threads.submit(
                () -> {
                  try (data;
                      Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA))) {
                    return run(cpu, data, graph, runs);
                  }
                }));
      }
      List<List<Map<String, float[]>>> results = new ArrayList<>();
      for (Future<List<Map<String, float[]>>> future : futures) {
        results.add(future.get());
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }
}
