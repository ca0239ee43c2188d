package dev.kindling.comm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
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
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Graphs with collective operations over the real communicators. */
class CollectiveGraphTest {
  private static final long SEED = Long.getLong("seed", 20261123L);
  private static final CpuOptions CPU = new CpuOptions(1, MatmulKind.JAVA);
  private static final int ROWS = 4;
  private static final int WIDTH = 3;

  /** One element of a rank's input that finite differences move. */
  private record Nudge(int rank, int element, float by) {}

  /**
   * gelu, collective, gelu, then a sum weighted differently on each rank, added up over all ranks:
   * the gradient against finite differences in every element that some rank holds.
   */
  @ParameterizedTest
  @CsvSource({
    "LOOPBACK,2",
    "LOOPBACK,4",
    "RING,2",
    "RING,4",
    "RING_TREE,4",
  })
  void gradientsMatchFiniteDifferencesOfTheSumOfAllLosses(World world, int ranks) {
    List<Op> ops =
        List.of(
            new AllReduce(Axis.DATA),
            new AllReduce(Axis.DATA, false),
            new AllGather(Axis.DATA, ranks, false),
            new ReduceScatter(Axis.DATA, ranks),
            new AllToAll(Axis.DATA, ranks),
            new Broadcast(Axis.DATA, ranks - 1));
    for (Op op : ops) {
      Graph graph = graph(op);
      float[][] gradients = run(world, ranks, graph, new Nudge(0, 0, 0f)).gradients();
      for (int rank = 0; rank < ranks; rank++) {
        for (int i = rank; i < ROWS * WIDTH; i += 5) {
          double up = run(world, ranks, graph, new Nudge(rank, i, 0.02f)).loss();
          double down = run(world, ranks, graph, new Nudge(rank, i, -0.02f)).loss();
          assertThat((double) gradients[rank][i])
              .as("%s on %s, rank %d element %d seed %d", op, world, rank, i, SEED)
              .isCloseTo((up - down) / 0.04, within(2e-3));
        }
      }
    }
  }

  private static Graph graph(Op op) {
    GraphBuilder builder = new GraphBuilder();
    Value x =
        builder.param(new Param("x", Shape.of(ROWS, WIDTH), Demand.whole(), Init.zeros(), true));
    Value y = builder.gelu(builder.add(op, builder.gelu(x)).get(0));
    builder.output("y", y);
    Map<Value, Value> upstream = new LinkedHashMap<>();
    upstream.put(y, builder.variable(new Variable("weights", y.type(), Role.INPUT)));
    Autodiff.gradients(builder, upstream);
    return builder.build();
  }

  private record Outcome(double loss, float[][] gradients) {}

  private static Outcome run(World world, int ranks, Graph graph, Nudge nudge) {
    double[] losses = new double[ranks];
    float[][] gradients = new float[ranks][];
    world.runAll(
        ranks,
        communicator -> {
          int rank = communicator.rank();
          try (Backend backend = Backend.cpu(CPU);
              Memory memory = backend.allocate(graph.variables());
              Program program = backend.compile(graph, memory, Map.of(Axis.DATA, communicator))) {
            SplittableRandom random = new SplittableRandom(SEED + rank);
            fill(memory.span("x"), random);
            fill(memory.span("weights"), random);
            Span x = memory.span("x");
            if (nudge.rank() == rank) {
              x.putFloat(nudge.element(), x.getFloat(nudge.element()) + nudge.by());
            }
            program.run();
            float[] y = memory.span("y").toFloats();
            float[] weights = memory.span("weights").toFloats();
            for (int i = 0; i < y.length; i++) {
              losses[rank] += (double) y[i] * weights[i];
            }
            gradients[rank] = memory.span("grad/x").toFloats();
          }
        });
    double loss = 0;
    for (double own : losses) {
      loss += own;
    }
    return new Outcome(loss, gradients);
  }

  private static void fill(Span span, SplittableRandom random) {
    for (int i = 0; i < span.bytes() / Float.BYTES; i++) {
      span.putFloat(i, (float) random.nextDouble(-1, 1));
    }
  }

  /** Every collective line of the case table, forward, and what it says it sends. */
  @ParameterizedTest
  @EnumSource
  void outputsAreThoseOfTheDefinition(World world) {
    for (OpCase line : OpCases.all()) {
      if (line.op() instanceof Collective collective
          && line.ranks() > 1
          && line.types().stream().allMatch(type -> type.dtype() == DType.F32)) {
        AtomicLong sent = new AtomicLong();
        world.runAll(line.ranks(), communicator -> sent.addAndGet(check(line, communicator)));
        if (world == World.LOOPBACK) {
          long mean = collective.sentBytes(line.types(), line.ranks());
          // Neighbours become one call, with the padding between them.
          long padding = line.types().size() == 1 ? 0 : 2L * Span.ALIGNMENT * line.types().size();
          assertThat(sent.get())
              .as("%s sent by all ranks", line)
              .isBetween((mean - 8) * line.ranks(), (mean + 8 + padding) * line.ranks());
        }
      }
    }
  }

  private static long check(OpCase line, dev.kindling.kernels.backend.Communicator communicator) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = new ArrayList<>();
    for (ValueType type : line.types()) {
      inputs.add(builder.variable(new Variable("in" + inputs.size(), type, Role.STATE)));
    }
    List<Value> outputs = builder.add(line.op(), inputs.toArray(Value[]::new));
    for (int i = 0; i < outputs.size(); i++) {
      builder.output("out" + i, outputs.get(i));
    }
    Graph graph = builder.build();
    try (Backend backend = Backend.cpu(CPU);
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, communicator))) {
      List<double[]> own = line.values(SEED + communicator.rank());
      for (int i = 0; i < own.size(); i++) {
        for (int e = 0; e < own.get(i).length; e++) {
          memory.span("in" + i).putFloat(e, (float) own.get(i)[e]);
        }
      }
      long before = communicator.bytesSent();
      program.run();
      for (int i = 0; i < outputs.size(); i++) {
        float[] found = memory.span("out" + i).toFloats();
        for (int e = 0; e < found.length; e++) {
          assertThat((double) found[e])
              .as("%s rank %d output %d element %d", line, communicator.rank(), i, e)
              .isCloseTo(expected(line, communicator.rank(), i, e), within(1e-5));
        }
      }
      return communicator.bytesSent() - before;
    }
  }

  /** The definition of each collective, one element at a time. */
  private static double expected(OpCase line, int rank, int input, int element) {
    int ranks = line.ranks();
    int size = (int) line.types().get(input).shape().elements();
    return switch (line.op().getClass().getSimpleName()) {
      case "AllReduce" -> sum(line, input, element);
      case "Reduce" -> rank == ranks / 2 ? sum(line, input, element) : 0;
      case "ReduceScatter" -> sum(line, input, rank * (size / ranks) + element);
      case "Broadcast" -> of(line, ranks - 1, input, element);
      case "AllGather" -> of(line, element / size, input, element % size);
      case "AllToAll" -> {
        int piece = size / ranks;
        yield of(line, element / piece, input, rank * piece + element % piece);
      }
      default -> throw new AssertionError("no definition of " + line);
    };
  }

  private static double sum(OpCase line, int input, int element) {
    double sum = 0;
    for (int rank = 0; rank < line.ranks(); rank++) {
      sum += of(line, rank, input, element);
    }
    return sum;
  }

  private static double of(OpCase line, int rank, int input, int element) {
    return line.values(SEED + rank).get(input)[element];
  }
}
