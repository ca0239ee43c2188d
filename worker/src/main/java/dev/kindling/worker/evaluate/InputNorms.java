package dev.kindling.worker.evaluate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.generate.ModelPrograms;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * L2 norms of the input features of every linear map but the head over calibration tokens: a
 * forward pass a window, squares added over its tokens where it runs and over windows here in fp64.
 */
public final class InputNorms implements ModelPrograms {
  private static final String TOKENS = "norms/tokens";
  private static final String POSITIONS = "norms/positions";
  private static final String LAST = "norms/last";

  private final int window;
  private final Graph graph;
  private final Memory memory;
  private final Program program;

  /** Name of the output that holds the sums of a map. */
  private final Map<String, String> sums = new LinkedHashMap<>();

  private final Map<String, double[]> squares = new LinkedHashMap<>();

  /**
   * @param model with its vocabulary fixed
   * @param window tokens of a pass, at most the context of the model
   * @param backend stays open as long as this
   */
  public InputNorms(ModelFamily model, int window, Backend backend) {
    this.window = window;
    GraphBuilder b = new GraphBuilder();
    Value tokens = b.input(TOKENS, Shape.of(window), DType.I32);
    Value positions = b.input(POSITIONS, Shape.of(window), DType.I32);
    Taps taps = new Taps();
    // Logits of one token: nobody reads them, and those of all would take the most memory.
    Value last = b.input(LAST, Shape.of(1), DType.I32);
    ModelInputs in = new ModelInputs(tokens, positions, null, window, null, last);
    b.output("norms/logits", model.logits(b, in, taps));
    graph = b.build();
    memory = backend.allocate(graph.variables(), List.of(graph));
    program = backend.compile(graph, memory, Map.of());
    memory.span(LAST).putInt(0, window - 1);
    for (int width : taps.ones.keySet()) {
      Span ones = memory.span(ones(width));
      for (int i = 0; i < width; i++) {
        ones.putFloat(i, 1f);
      }
    }
  }

  private static String ones(int width) {
    return "norms/ones" + width;
  }

  /**
   * Column sums of squares beside every map: s / 1 of {@link MagnitudeGradient} with v = dy = x.
   * The maps of one input share them.
   */
  private final class Taps implements Projection {
    private final Full full = new Full();
    private final Map<Integer, Value> ones = new HashMap<>();
    private final Map<Integer, String> ofValue = new HashMap<>();

    @Override
    public Value project(GraphBuilder b, Weight weight, Value x) {
      if (weight.name().equals(Weight.HEAD)) {
        return full.project(b, weight, x);
      }
      String output = ofValue.get(x.id());
      if (output == null) {
        output = "norms/" + weight.name();
        Value one =
            ones.computeIfAbsent(
                weight.in(), width -> b.input(ones(width), Shape.of(width), DType.F32));
        b.output(output, b.add(new MagnitudeGradient(), x, x, one, one).get(0));
        ofValue.put(x.id(), output);
        squares.put(output, new double[weight.in()]);
      }
      sums.put(weight.name(), output);
      return full.project(b, weight, x);
    }

    @Override
    public Value read(GraphBuilder b, Param p) {
      return full.read(b, p);
    }
  }

  @Override
  public List<Param> params() {
    return graph.params();
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

  /** Tokens of a pass. */
  public int window() {
    return window;
  }

  /**
   * Adds the tokens of a window.
   *
   * @param stream holds {@link #window} tokens from {@code at} on
   */
  public void add(int[] stream, int at) {
    Span tokens = memory.span(TOKENS);
    Span positions = memory.span(POSITIONS);
    for (int i = 0; i < window; i++) {
      tokens.putInt(i, stream[at + i]);
      positions.putInt(i, i);
    }
    program.run();
    squares.forEach(
        (name, sum) -> {
          Span of = memory.span(name);
          for (int i = 0; i < sum.length; i++) {
            sum[i] += of.getFloat(i);
          }
        });
  }

  /** Norms so far, by the name of the linear map. */
  public Map<String, double[]> norms() {
    Map<String, double[]> norms = new LinkedHashMap<>();
    sums.forEach(
        (map, output) -> {
          double[] each = Objects.requireNonNull(squares.get(output)).clone();
          for (int i = 0; i < each.length; i++) {
            each[i] = Math.sqrt(each[i]);
          }
          norms.put(map, each);
        });
    return norms;
  }

  @Override
  public void close() {
    program.close();
    memory.close();
  }
}
