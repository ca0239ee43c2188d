package dev.kindling.worker.evaluate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.generate.ModelPrograms;
import dev.kindling.worker.model.ModelFamily;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * What a model makes of token sequences, one at a time: a forward pass over the shortest window of
 * 32, 64, 128, ... tokens, at most the context, that holds it. The loss of a token is that of
 * training, in fp32.
 */
public final class Scorer implements ModelPrograms {
  private static final int SHORTEST_WINDOW = 32;

  private final Backend backend;
  private final int context;
  private final List<ScoringWindow> windows = new ArrayList<>();
  private final Map<Graph, Program> programs = new IdentityHashMap<>();
  private final Memory memory;

  /**
   * @param model with its vocabulary fixed
   * @param context tokens that the model sees at once, at most its own context
   * @param backend stays open as long as this scorer
   * @throws dev.kindling.kernels.backend.DeviceException if the device has no kernel for the model,
   *     or too little memory
   */
  public Scorer(ModelFamily model, int context, Backend backend) {
    this.backend = backend;
    this.context = context;
    for (int length = SHORTEST_WINDOW; length < context; length *= 2) {
      windows.add(new ScoringWindow(model, length));
    }
    windows.add(new ScoringWindow(model, context));
    Set<Variable> variables = new LinkedHashSet<>();
    windows.forEach(window -> variables.addAll(window.graph().variables()));
    memory =
        backend.allocate(
            List.copyOf(variables), windows.stream().map(ScoringWindow::graph).toList());
  }

  @Override
  public List<Param> params() {
    return windows.get(0).graph().params();
  }

  @Override
  public Span weight(String name) {
    return memory.span(name);
  }

  @Override
  public void filled(String name) {
    memory.publish(name);
    memory.release(name);
  }

  /** Tokens that the model sees at once. */
  public int context() {
    return context;
  }

  /**
   * Loss of the tokens behind place {@code at} of the stream, at most {@link #context} of them, the
   * first from the token at that place alone.
   */
  public Loss window(int[] stream, int at) {
    return window(stream, at, place -> true);
  }

  /** As above, of those tokens alone whose places count. */
  public Loss window(int[] stream, int at, IntPredicate counts) {
    int count = Math.min(context, stream.length - 1 - at);
    return run(stream, at, count, counts);
  }

  /**
   * Loss of a continuation, given what stands before it. Of a prompt that leaves it no room only
   * the end is read.
   *
   * @param prompt at least one token
   * @throws DataException if the continuation has no token, or more than the context
   */
  public Loss continuation(int[] prompt, int[] continuation) {
    return continuation(Continuation.of(prompt, continuation, context));
  }

  Loss continuation(Continuation behind) {
    int[] stream = behind.stream();
    return run(stream, 0, stream.length - 1, place -> place >= behind.from());
  }

  private Loss run(int[] stream, int at, int count, IntPredicate counts) {
    long targets = IntStream.rangeClosed(at + 1, at + count).filter(counts).count();
    if (targets == 0) {
      return Loss.NONE;
    }
    ScoringWindow window =
        windows.stream().filter(w -> w.length() >= count).findFirst().orElseThrow();
    window.fill(memory, stream, at, count, counts);
    programs
        .computeIfAbsent(window.graph(), graph -> backend.compile(graph, memory, Map.of()))
        .run();
    float nats = window.lossSum(memory);
    if (!Float.isFinite(nats)) {
      throw new CheckpointException("expected a finite loss, found " + nats + ": broken weights");
    }
    return new Loss(nats, targets);
  }

  @Override
  public void close() {
    programs.values().forEach(Program::close);
    memory.close();
  }
}
