package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.ModelFamily;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Samples tokens, of several sequences at once. A prompt is one forward pass over a window, the
 * shortest of 32, 64, 128, ... tokens that holds it, which leaves keys and values in a cache; after
 * it a token costs one pass over the newest token of each sequence. A text longer than the context
 * has no cache, because all its positions move: from there on each token is a pass over the window
 * of its last tokens.
 *
 * <p>The choice at a place is a pure function of the logits, the seed and the place: same weights,
 * prompt and seed, same text, whatever other prompts are sampled beside it, up to the rounding of
 * matrix products with another number of rows.
 */
public final class Generator implements ModelPrograms {
  private static final int SHORTEST_WINDOW = 32;

  /** Hears each token as soon as it is chosen. */
  public interface Sink {
    /**
     * @param prompt index of the prompt that it goes on from
     */
    void token(int prompt, int id);
  }

  private final Backend backend;
  private final int context;
  private final int vocabulary;
  private final int sequences;
  private final List<Window> windows = new ArrayList<>();
  private final NewestTokens newest;
  private final Map<Graph, Program> programs = new IdentityHashMap<>();
  private final Memory memory;

  /** One sequence at a time. */
  public Generator(ModelFamily model, int context, Backend backend) {
    this(model, context, 1, backend);
  }

  /**
   * @param model with its vocabulary fixed
   * @param context tokens that the model sees at once, at most its own context
   * @param sequences that are sampled together; each takes a cache of {@code context} tokens
   * @param backend stays open as long as this generator
   * @throws dev.kindling.kernels.backend.DeviceException if the device has no kernel for the model,
   *     or too little memory
   */
  public Generator(ModelFamily model, int context, int sequences, Backend backend) {
    if (sequences < 1) {
      throw new PlanException("sequences: expected 1 or more, found " + sequences);
    }
    this.backend = backend;
    this.context = context;
    this.sequences = sequences;
    this.vocabulary =
        model.vocabulary().orElseThrow(() -> new PlanException("model.vocabulary: not known"));
    for (int length = SHORTEST_WINDOW; length < context; length *= 2) {
      windows.add(new Window(model, length, sequences, context));
    }
    windows.add(new Window(model, context, sequences, context));
    newest = new NewestTokens(model, sequences, context);
    Set<Variable> variables = new LinkedHashSet<>(newest.graph().variables());
    windows.forEach(window -> variables.addAll(window.graph().variables()));
    List<Graph> graphs = new ArrayList<>(List.of(newest.graph()));
    windows.forEach(window -> graphs.add(window.graph()));
    memory = backend.allocate(List.copyOf(variables), graphs);
  }

  @Override
  public List<Param> params() {
    return newest.graph().params();
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

  /**
   * @return the added tokens of each prompt, in the order of the prompts
   * @throws PlanException if a prompt is empty or has an id that the vocabulary has not
   */
  public List<int[]> sample(SampleRequest request, Sink sink) {
    request.check(vocabulary);
    List<int[]> added = new ArrayList<>();
    for (int first = 0; first < request.prompts().size(); first += sequences) {
      int end = Math.min(first + sequences, request.prompts().size());
      List<Writing> together = new ArrayList<>();
      for (int[] prompt : request.prompts().subList(first, end)) {
        together.add(new Writing(prompt, request.tokens(), request.choices()));
      }
      write(together, request, first, sink);
      together.forEach(writing -> added.add(writing.added()));
    }
    return added;
  }

  private void write(List<Writing> together, SampleRequest request, int first, Sink sink) {
    TokenChoice choice = new TokenChoice(request.sampling());
    for (int slot = 0; slot < together.size(); slot++) {
      Writing writing = together.get(slot);
      if (!writing.done()) {
        forward(writing.ids(), writing.length(), slot, writing.logits);
      }
    }
    while (together.stream().anyMatch(writing -> !writing.done())) {
      for (int slot = 0; slot < together.size(); slot++) {
        Writing writing = together.get(slot);
        if (writing.done()) {
          continue;
        }
        int next = choice.pick(writing.logits, writing.length());
        if (request.ends().contains(next)) {
          writing.end();
        } else {
          writing.add(next);
          sink.token(first + slot, next);
        }
      }
      advance(together);
    }
  }

  /** Logits of the next token of every sequence that is not done. */
  void advance(List<Writing> together) {
    boolean any = false;
    newest.clear(memory);
    for (int slot = 0; slot < together.size(); slot++) {
      Writing writing = together.get(slot);
      if (!writing.done() && writing.length() <= context) {
        newest.put(memory, slot, writing.newest(), writing.length());
        any = true;
      }
    }
    if (any) {
      program(newest.graph()).run();
    }
    for (int slot = 0; slot < together.size(); slot++) {
      Writing writing = together.get(slot);
      if (writing.done()) {
        continue;
      }
      if (writing.length() <= context) {
        newest.read(memory, slot, vocabulary, writing.logits);
      } else {
        forward(writing.ids(), writing.length(), Window.NOT_KEPT, writing.logits);
      }
    }
  }

  /**
   * Logits of the token at {@code place}, from the tokens before it.
   *
   * @param slot of the cache that keeps what it read, if that is all of them
   */
  void forward(int[] text, int place, int slot, float[] logits) {
    int used = Math.min(place, context);
    Window window = windows.stream().filter(w -> w.length() >= used).findFirst().orElseThrow();
    window.fill(memory, text, place - used, place, used == place ? slot : Window.NOT_KEPT);
    program(window.graph()).run();
    window.read(memory, logits);
  }

  private Program program(Graph graph) {
    return programs.computeIfAbsent(graph, g -> backend.compile(g, memory, Map.of()));
  }

  @Override
  public void close() {
    programs.values().forEach(Program::close);
    memory.close();
  }
}
