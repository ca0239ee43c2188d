package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.ModelFamily;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Samples tokens one at a time. A token costs one forward pass over a window: the shortest of 32,
 * 64, 128, ... tokens that holds the text so far, at most the context. Beyond the context the
 * window slides over the last tokens. There is no key-value cache: for the small models and short
 * samples of a training run the pass is cheaper than a second set of programs would be to keep
 * true.
 *
 * <p>The choice at a place is a pure function of the logits, the seed and the place: same weights,
 * prompt and seed, same text.
 */
public final class Generator implements AutoCloseable {
  private static final int SHORTEST_WINDOW = 32;

  private final Backend backend;
  private final int context;
  private final int vocabulary;
  private final List<Window> windows = new ArrayList<>();
  private final Map<Integer, Program> programs = new HashMap<>();
  private final Memory memory;

  /**
   * @param model with its vocabulary fixed
   * @param context tokens that the model sees at once, at most its own context
   * @param backend stays open as long as this generator
   */
  public Generator(ModelFamily model, int context, Backend backend) {
    this.backend = backend;
    this.context = context;
    this.vocabulary =
        model.vocabulary().orElseThrow(() -> new PlanException("model.vocabulary: not known"));
    for (int length = SHORTEST_WINDOW; length < context; length *= 2) {
      windows.add(new Window(model, length));
    }
    windows.add(new Window(model, context));
    Set<Variable> variables = new LinkedHashSet<>();
    windows.forEach(window -> variables.addAll(window.graph().variables()));
    memory = backend.allocate(List.copyOf(variables));
  }

  /** The weights to fill, in declaration order. */
  public List<Param> params() {
    return windows.get(0).graph().params();
  }

  /** Where the weight of this name lives. */
  public Span weight(String name) {
    return memory.span(name);
  }

  /**
   * @param prompt at least one token id
   * @param tokens number of tokens to add
   * @param choices only ids below this are chosen: a vocabulary may have rows that no token uses
   * @param end id that ends the text and is not part of it, negative for none
   * @return the added tokens
   */
  public int[] sample(int[] prompt, int tokens, Sampling sampling, int choices, int end) {
    check(prompt, choices);
    TokenChoice choice = new TokenChoice(sampling);
    float[] logits = new float[choices];
    int[] text = Arrays.copyOf(prompt, prompt.length + tokens);
    for (int place = prompt.length; place < text.length; place++) {
      forward(text, place, logits);
      int next = choice.pick(logits, place);
      if (next == end) {
        return Arrays.copyOfRange(text, prompt.length, place);
      }
      text[place] = next;
    }
    return Arrays.copyOfRange(text, prompt.length, text.length);
  }

  private void check(int[] prompt, int choices) {
    if (prompt.length == 0) {
      throw new PlanException("prompt: expected at least one token, found none");
    }
    for (int id : prompt) {
      if (id < 0 || id >= vocabulary) {
        throw new PlanException("prompt: expected token ids below " + vocabulary + ", found " + id);
      }
    }
    if (choices < 1 || choices > vocabulary) {
      throw new PlanException(
          "expected 1 to " + vocabulary + " ids to choose from, found " + choices);
    }
  }

  /** Logits of the token at {@code place}, from the tokens before it. */
  void forward(int[] text, int place, float[] logits) {
    int used = Math.min(place, context);
    Window window = windows.stream().filter(w -> w.length() >= used).findFirst().orElseThrow();
    window.fill(memory, text, place - used, place);
    programs.computeIfAbsent(window.length(), length -> window.compile(backend, memory)).run();
    window.read(memory, used - 1, vocabulary, logits);
  }

  @Override
  public void close() {
    programs.values().forEach(Program::close);
    memory.close();
  }
}
