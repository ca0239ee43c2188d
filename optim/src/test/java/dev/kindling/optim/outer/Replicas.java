package dev.kindling.optim.outer;

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
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Replicas of a matrix [4, 5] and a vector [37] whose boundaries run as programs of the CPU. */
final class Replicas implements AutoCloseable {
  static final int ELEMENTS = 57;
  static final List<Param> PARAMS =
      List.of(
          new Param("matrix", Shape.of(4, 5), Demand.whole(), Init.normal(1), true),
          new Param("vector", Shape.of(37), Demand.whole(), Init.normal(1), false));

  private final OuterMethod method;
  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final List<Memory> memories = new ArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final List<String> payloads = new ArrayList<>();
  private final List<Program> departs;
  private final List<Program> arrives;
  private final List<Program> firsts;
  private final List<Program> shows;
  private final List<Program> settles;
  private final List<Program> exchanges;

  Replicas(OuterMethod method, int count, double[] start) {
    this.method = method;
    OuterSentences sentences = new OuterSentences(method.step(), PARAMS);
    List<Graph> graphs = new ArrayList<>();
    graphs.add(graph(sentences, OuterSentences::depart));
    graphs.add(graph(sentences, OuterSentences::arrive));
    graphs.add(graph(sentences, OuterSentences::firstStep));
    graphs.add(graph(sentences, OuterSentences::show));
    graphs.add(graph(sentences, OuterSentences::settle));
    if (method.step().late()) {
      graphs.add(graph(sentences, OuterSentences::exchange));
    }
    Set<Variable> variables = new LinkedHashSet<>();
    graphs.forEach(graph -> variables.addAll(graph.variables()));
    for (int i = 0; i < count; i++) {
      memories.add(backend.allocate(List.copyOf(variables)));
    }
    variables.stream()
        .map(Variable::name)
        .filter(name -> name.startsWith(OuterSentences.PAYLOAD))
        .forEach(payloads::add);
    departs = compile(graphs.get(0));
    arrives = compile(graphs.get(1));
    firsts = compile(graphs.get(2));
    shows = compile(graphs.get(3));
    settles = compile(graphs.get(4));
    exchanges = method.step().late() ? compile(graphs.get(5)) : List.of();
    for (int i = 0; i < count; i++) {
      write(i, Param::name, start);
      write(i, OuterSentences::anchor, start);
    }
    scalars(1, method.tau());
  }

  private static Graph graph(
      OuterSentences sentences, BiConsumer<OuterSentences, GraphBuilder> write) {
    GraphBuilder b = new GraphBuilder();
    write.accept(sentences, b);
    return b.build();
  }

  private List<Program> compile(Graph graph) {
    List<Program> programs = new ArrayList<>();
    for (Memory memory : memories) {
      Program program = backend.compile(graph, memory, Map.of());
      opened.add(program::close);
      programs.add(program);
    }
    return programs;
  }

  int count() {
    return memories.size();
  }

  void scalars(double innerLr, int innerSteps) {
    for (Memory memory : memories) {
      Span block = memory.span(OuterSentences.BLOCK);
      Span gain = memory.span(OuterSentences.GAIN);
      method.step().fill(block, gain, count(), innerLr, innerSteps);
    }
  }

  void depart() {
    departs.forEach(Program::run);
  }

  void arrive() {
    arrives.forEach(Program::run);
  }

  void show() {
    shows.forEach(Program::run);
  }

  void settle() {
    settles.forEach(Program::run);
  }

  /** What every replica tells the others in the round that ends. */
  void tell(float... scalars) {
    memories.forEach(memory -> memory.span(OuterSentences.TELLING).put(scalars));
  }

  /** First number of an output. */
  double output(int replica, String name) {
    return memories.get(replica).span(name).getFloat(0);
  }

  void exchange() {
    exchanges.forEach(Program::run);
  }

  void firstStep() {
    firsts.forEach(Program::run);
  }

  /** Averages all that departs, as a reduction would. */
  void mean() {
    for (String name : payloads) {
      int elements = (int) (memories.get(0).span(name).bytes() / Float.BYTES);
      for (int e = 0; e < elements; e++) {
        double sum = 0;
        for (Memory memory : memories) {
          sum += memory.span(name).getFloat(e);
        }
        for (Memory memory : memories) {
          memory.span(name).putFloat(e, (float) (sum / memories.size()));
        }
      }
    }
  }

  /** The boundary that ends a round, its reduction included, which the next one finds arrived. */
  void boundary(int round, FirstRound first) {
    if (!method.step().late()) {
      depart();
      mean();
      arrive();
    } else if (round == 0 && first == FirstRound.SYNC) {
      depart();
      mean();
      arrive();
    } else {
      exchange();
      mean();
    }
  }

  double[] live(int replica) {
    return read(replica, Param::name);
  }

  double[] read(int replica, Function<Param, String> name) {
    double[] values = new double[ELEMENTS];
    int at = 0;
    for (Param p : PARAMS) {
      Span span = memories.get(replica).span(name.apply(p));
      for (int i = 0; i < p.shape().elements(); i++) {
        values[at++] = span.getFloat(i);
      }
    }
    return values;
  }

  void write(int replica, Function<Param, String> name, double[] values) {
    int at = 0;
    for (Param p : PARAMS) {
      Span span = memories.get(replica).span(name.apply(p));
      for (int i = 0; i < p.shape().elements(); i++) {
        span.putFloat(i, (float) values[at++]);
      }
    }
  }

  @Override
  public void close() {
    try {
      for (AutoCloseable each : opened) {
        each.close();
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    memories.forEach(Memory::close);
    backend.close();
  }
}
