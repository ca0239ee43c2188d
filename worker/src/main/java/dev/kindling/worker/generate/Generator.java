package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Samples tokens one at a time: the whole window runs through the forward program for each token,
 * so a token costs one forward pass of the window. The window holds the last tokens of the text;
 * what follows the text in it is masked by causality.
 *
 * <p>The choice at a place is a pure function of the logits, the seed and the place: same weights,
 * prompt and seed, same text.
 */
public final class Generator implements AutoCloseable {
  private static final String LOGITS = "logits";

  private final int window;
  private final int vocabulary;
  private final Memory memory;
  private final Program program;

  /**
   * @param model with its vocabulary fixed
   * @param window tokens that the model sees at once, at most its context
   * @param backend stays open as long as this generator
   */
  public Generator(ModelFamily model, int window, Backend backend) {
    this.window = window;
    this.vocabulary =
        model.vocabulary().orElseThrow(() -> new PlanException("model.vocabulary: not known"));
    GraphBuilder b = new GraphBuilder();
    ModelInputs in = ModelInputs.declare(b, window, window, false);
    b.output(LOGITS, model.logits(b, in, new Full()));
    Graph graph = b.build();
    memory = backend.allocate(graph.variables());
    program = backend.compile(graph, memory, Map.of());
    Span positions = memory.span(ModelInputs.POSITIONS);
    for (int i = 0; i < window; i++) {
      positions.putInt(i, i);
    }
  }

  /** The weights to fill, in declaration order. */
  public List<Param> params() {
    return program.graph().params();
  }

  /** Where the weight of this name lives. */
  public Span weight(String name) {
    return memory.span(name);
  }

  /**
   * @param prompt at least one token id
   * @param tokens number of tokens to add
   * @param temperature divides the logits; 0 picks the likeliest token, the first of equals
   * @return the added tokens
   */
  public int[] sample(int[] prompt, int tokens, long seed, double temperature) {
    if (prompt.length == 0) {
      throw new PlanException("prompt: expected at least one token, found none");
    }
    for (int id : prompt) {
      if (id < 0 || id >= vocabulary) {
        throw new PlanException("prompt: expected token ids below " + vocabulary + ", found " + id);
      }
    }
    int[] text = Arrays.copyOf(prompt, prompt.length + tokens);
    for (int end = prompt.length; end < text.length; end++) {
      float[] logits = logits(text, end);
      text[end] = temperature == 0 ? likeliest(logits) : draw(logits, temperature, seed, end);
    }
    return Arrays.copyOfRange(text, prompt.length, text.length);
  }

  /** Logits of the token at {@code end}, from the tokens before it. */
  float[] logits(int[] text, int end) {
    int first = Math.max(0, end - window);
    Span ids = memory.span(ModelInputs.TOKENS);
    for (int i = 0; i < window; i++) {
      ids.putInt(i, first + i < end ? text[first + i] : 0);
    }
    program.run();
    Span all = memory.span(LOGITS);
    float[] row = new float[vocabulary];
    long base = (long) (end - first - 1) * vocabulary;
    for (int i = 0; i < vocabulary; i++) {
      row[i] = all.getFloat(base + i);
    }
    return row;
  }

  static int likeliest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** Inverse of the cumulated softmax at a uniform number of (seed, place). */
  static int draw(float[] logits, double temperature, long seed, long place) {
    double highest = logits[likeliest(logits)];
    double[] cumulated = new double[logits.length];
    double sum = 0;
    for (int i = 0; i < logits.length; i++) {
      sum += StrictMath.exp((logits[i] - highest) / temperature);
      cumulated[i] = sum;
    }
    double at = Philox.uniform(seed, place) * sum;
    for (int i = 0; i < logits.length; i++) {
      if (at < cumulated[i]) {
        return i;
      }
    }
    return likeliest(logits);
  }

  @Override
  public void close() {
    program.close();
    memory.close();
  }
}
