package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.model.ModelFamily;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Writes text with a model whose weights it copies into memory of its own.
 *
 * <p>Each token costs one forward pass over a window: the shortest of 32, 64, 128, ... tokens that
 * holds the text so far, at most the context. Beyond the context the window slides over the last
 * tokens. There is no key-value cache: for the small models and short samples of a training run the
 * pass is cheaper than a second set of programs would be to keep true.
 */
public final class TextGenerator implements AutoCloseable {
  private static final int SHORTEST_WINDOW = 32;

  private final ModelFamily family;
  private final Backend backend;
  private final Memory memory;
  private final List<Window> windows;
  private final Map<Integer, Program> programs = new HashMap<>();

  /**
   * @param family the model, with its vocabulary
   * @param backend where it runs; stays the caller's to close
   * @param weights the fp32 weights of a parameter by its name
   */
  public TextGenerator(ModelFamily family, Backend backend, Function<String, Span> weights) {
    this.family = family;
    this.backend = backend;
    this.windows = windows(family);
    Set<Variable> variables = new LinkedHashSet<>();
    windows.forEach(window -> variables.addAll(window.graph().variables()));
    this.memory = backend.allocate(List.copyOf(variables));
    for (Param p : family.parameters()) {
      copy(p.name(), weights.apply(p.name()), memory.span(p.name()));
    }
  }

  private static List<Window> windows(ModelFamily family) {
    List<Window> windows = new ArrayList<>();
    for (int length = SHORTEST_WINDOW; length < family.context(); length *= 2) {
      windows.add(new Window(family, length));
    }
    windows.add(new Window(family, family.context()));
    return windows;
  }

  private static void copy(String name, Span source, Span target) {
    if (source.bytes() != target.bytes()) {
      throw new PlanException(
          name + ": expected " + target.bytes() + " bytes, found " + source.bytes());
    }
    target.buffer().put(source.buffer());
  }

  /**
   * Continues a text.
   *
   * @param prompt may be empty: the text then starts after a document separator
   * @param tokens number of tokens to write; fewer if the model ends the document
   * @return the continuation without the prompt, printable: control characters other than line
   *     breaks and tabs, and bytes that are no UTF-8, appear as U+FFFD
   */
  public String text(Tokenizer tokenizer, String prompt, int tokens, Sampling sampling) {
    int[] ids = tokenizer.encode(prompt.getBytes(StandardCharsets.UTF_8));
    int[] start = ids.length == 0 ? new int[] {tokenizer.separator()} : ids;
    int[] written =
        continuation(start, tokens, sampling, tokenizer.vocabularySize(), tokenizer.separator());
    return printable(tokenizer.decode(written));
  }

  /**
   * Continues a sequence of token ids.
   *
   * @param start at least one id
   * @param tokens number of ids to write
   * @param choices only ids below this are chosen: a vocabulary may have rows that no token uses
   * @param end id that ends the text and is not part of it, negative for none
   */
  public int[] continuation(int[] start, int tokens, Sampling sampling, int choices, int end) {
    TokenChoice choice = new TokenChoice(sampling);
    float[] logits = new float[choices];
    int[] text = Arrays.copyOf(start, start.length + tokens);
    for (int i = 0; i < tokens; i++) {
      int length = start.length + i;
      forward(Arrays.copyOf(text, length), logits);
      int next = choice.pick(logits, i);
      if (next == end) {
        return Arrays.copyOfRange(text, start.length, length);
      }
      text[length] = next;
    }
    return Arrays.copyOfRange(text, start.length, text.length);
  }

  /**
   * The logits of the token after a text, as far as {@code logits} reaches.
   *
   * @throws PlanException if the text is empty or an id is not in the vocabulary
   */
  public void forward(int[] text, float[] logits) {
    int vocabulary = family.vocabulary().orElseThrow();
    if (text.length == 0 || Arrays.stream(text).anyMatch(id -> id < 0 || id >= vocabulary)) {
      throw new PlanException("expected one or more ids in [0, " + vocabulary + ")");
    }
    int used = Math.min(text.length, family.context());
    Window window = windows.stream().filter(w -> w.length() >= used).findFirst().orElseThrow();
    window.fill(memory, text, text.length - used);
    programs
        .computeIfAbsent(window.length(), length -> window.compile(backend, memory))
        .run();
    window.read(memory, used - 1, vocabulary, logits);
  }

  private static String printable(String text) {
    StringBuilder clean = new StringBuilder(text.length());
    text.codePoints()
        .map(c -> Character.isISOControl(c) && c != '\n' && c != '\t' && c != '\r' ? 0xFFFD : c)
        .forEach(clean::appendCodePoint);
    return clean.toString();
  }

  @Override
  public void close() {
    programs.values().forEach(Program::close);
    memory.close();
  }
}
