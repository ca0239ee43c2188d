package dev.kindling.kernels.graph;

import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.graph.rewrite.Fusions;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import dev.kindling.kernels.graph.rewrite.Rewrite;
import dev.kindling.kernels.graph.rewrite.Schedule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a graph sentence by sentence. Values are assigned once; an operation that works in place
 * returns a new value for the same memory, and the variable's current content moves on to it. Not
 * thread-safe.
 */
public final class GraphBuilder {
  private final Map<String, Variable> variables = new LinkedHashMap<>();
  private final Map<String, Param> params = new LinkedHashMap<>();
  private final Map<String, Value> current = new HashMap<>();
  private final Map<Integer, String> home = new HashMap<>();
  private final Map<Integer, Variable> contents = new LinkedHashMap<>();
  private final Map<Integer, Param> paramContents = new HashMap<>();
  private final Map<Integer, Integer> positionLimits = new HashMap<>();
  private final Placement placement;
  private List<Node> nodes = new ArrayList<>();
  private int nextId;
  private boolean fused;

  /** A graph of a rank that holds every parameter whole. */
  public GraphBuilder() {
    this(Placement.WHOLE);
  }

  public GraphBuilder(Placement placement) {
    this.placement = placement;
  }

  /**
   * Declares the parameter, or reads it again: tied weights are one parameter read twice. The value
   * is whole wherever the rank keeps it.
   */
  public Value param(Param param) {
    declare(param);
    return noted(param, placement.read(this, param));
  }

  /** Declares the parameter; current content of the fp32 variable that an update of it changes. */
  public Value master(Param param) {
    declare(param);
    return noted(param, variable(placement.master(param)));
  }

  private void declare(Param param) {
    Param known = params.putIfAbsent(param.name(), param);
    if (known != null && !known.equals(param)) {
      throw new PlanException(
          "parameter " + param.name() + " declared twice: " + known + ", " + param);
    }
  }

  private Value noted(Param param, Value value) {
    if (contents.containsKey(value.id())) {
      paramContents.put(value.id(), param);
    }
    return value;
  }

  /** A variable that the host writes before each run. */
  public Value input(String name, Shape shape, DType dtype) {
    return variable(new Variable(name, new ValueType(shape, dtype), Role.INPUT));
  }

  /**
   * An input of positions, I32 [count], each below a limit of its own: {@link #rope} by positions
   * of another origin expects them below the number of tokens.
   */
  public Value positions(String name, int count, int limit) {
    Value value = input(name, Shape.of(count), DType.I32);
    positionLimits.put(value.id(), limit);
    return value;
  }

  /** Current content of a variable, declaring it when new. */
  public Value variable(Variable variable) {
    Variable known = variables.putIfAbsent(variable.name(), variable);
    if (known == null) {
      Value value = fresh(variable.type());
      current.put(variable.name(), value);
      home.put(value.id(), variable.name());
      contents.put(value.id(), variable);
      return value;
    }
    if (!known.equals(variable)) {
      throw new PlanException(
          "variable " + variable.name() + " declared twice: " + known + ", " + variable);
    }
    return java.util.Objects.requireNonNull(current.get(variable.name()));
  }

  /** The first step block: F32 [StepScalar.values().length]. */
  public Value step() {
    return step(0);
  }

  /** One of several step blocks, of a rule among several: F32 [StepScalar.values().length]. */
  public Value step(int block) {
    ValueType type = ValueType.f32(StepScalar.values().length);
    return variable(new Variable(stepName(block), type, Role.STEP));
  }

  /** Name of the variable that is this step block. */
  public static String stepName(int block) {
    return block == 0 ? "step" : "step/" + block;
  }

  /** Makes the value readable under this name after a run. */
  public void output(String name, Value value) {
    add(new Copy(), value, variable(new Variable(name, value.type(), Role.OUTPUT)));
  }

  public Value embedding(Value table, Value ids) {
    return single(new Embedding(), table, ids);
  }

  /** x [T, K] times weight [N, K] transposed. */
  public Value linear(Value x, Value weight) {
    return single(new Linear(WeightLayout.OUT_IN, false), x, weight);
  }

  public Value linear(Value x, Value weight, Value bias) {
    return single(new Linear(WeightLayout.OUT_IN, true), x, weight, bias);
  }

  /** x [T, K] times weight [K, N]: the layout of GPT-2. */
  public Value linearInOut(Value x, Value weight, Value bias) {
    return single(new Linear(WeightLayout.IN_OUT, true), x, weight, bias);
  }

  public Value add(Value a, Value b) {
    return single(new Add(), a, b);
  }

  /** Over the columns of x [T, D], or over each run of C of them if gain is [C]. */
  public Value rmsNorm(Value x, Value gain, float eps) {
    return single(new RmsNorm(eps), x, gain);
  }

  public Value layerNorm(Value x, Value gain, Value bias, float eps) {
    return single(new LayerNorm(eps), x, gain, bias);
  }

  /** Rotates the heads of x [T, H * headDim] by positions I32 [T]. */
  public Value rope(Value x, Value positions, int headDim, double theta) {
    return rope(x, positions, headDim, RopeFrequencies.of(theta));
  }

  /** As above, with frequencies that may be stretched. */
  public Value rope(Value x, Value positions, int headDim, RopeFrequencies frequencies) {
    int limit = positionLimits.getOrDefault(positions.id(), 0);
    return single(new Rope(headDim, frequencies, false, limit), x, positions);
  }

  /** Causal attention; see {@link Attention}. Without segments each sequence is one document. */
  public Value attention(
      Value q, Value k, Value v, @Nullable Value segments, AttentionShape shape) {
    return segments == null
        ? single(new Attention(shape, false), q, k, v)
        : single(new Attention(shape, true), q, k, v, segments);
  }

  public Value swiGlu(Value gate, Value up) {
    return single(new SwiGlu(), gate, up);
  }

  public Value gelu(Value x) {
    return single(new Gelu(), x);
  }

  /** Cuts x [T, sum of widths] into matrices, left to right: GPT-2's joint query, key, value. */
  public List<Value> splitColumns(Value x, int... widths) {
    return add(new SplitColumns(Arrays.stream(widths).boxed().toList()), x);
  }

  /** Logits [T, V], targets I32 [T], {@link CrossEntropy#IGNORED} does not count. */
  public LossValues crossEntropy(Value logits, Value targets) {
    List<Value> outputs = add(new CrossEntropy(), logits, targets);
    return new LossValues(outputs.get(0), outputs.get(1));
  }

  /** Appends any operation; returns its outputs. */
  public List<Value> add(Op op, Value... inputs) {
    List<Value> arguments = List.of(inputs);
    List<Value> outputs = new ArrayList<>();
    for (ValueType type : op.infer(arguments.stream().map(Value::type).toList())) {
      outputs.add(fresh(type));
    }
    nodes.add(new Node(nodes.size(), op, arguments, outputs));
    for (int i = 0; i < outputs.size(); i++) {
      String variable = op.alias(i) == Op.OWN_MEMORY ? null : home.get(inputs[op.alias(i)].id());
      if (variable != null) {
        home.put(outputs.get(i).id(), variable);
        current.put(variable, outputs.get(i));
      }
    }
    return outputs;
  }

  /** A value that no node has written yet; passes use it for outputs they introduce. */
  public Value fresh(ValueType type) {
    return new Value(nextId++, type);
  }

  /** Nodes so far, in order. */
  public List<Node> nodes() {
    return List.copyOf(nodes);
  }

  /** Parameters so far, in declaration order. */
  public List<Param> params() {
    return List.copyOf(params.values());
  }

  /**
   * The parameter whose content at the start of a run this value names, or null. It may be the
   * content of a piece; a value that a node made whole again is none.
   */
  public @Nullable Param paramOf(Value value) {
    return paramContents.get(value.id());
  }

  /** Replaces the nodes so far by what the pass makes of them, then renumbers. */
  public void rewrite(Rewrite pass) {
    List<Node> rewritten = pass.apply(nodes(), this::fresh);
    nodes = new ArrayList<>();
    for (Node node : rewritten) {
      nodes.add(node.at(nodes.size()));
    }
    GraphCheck.check(graph());
  }

  /** Runs the fusions once, on the forward sentences: fused operations bring fused gradients. */
  public void fuse() {
    if (!fused) {
      fused = true;
      Fusions.ALL.forEach(this::rewrite);
    }
  }

  /** Fuses if reverse mode has not done it, schedules, checks. */
  public Graph build() {
    fuse();
    rewrite(new Schedule());
    return graph();
  }

  /** The graph so far, for looking at it between passes. */
  public Graph graph() {
    return new Graph(
        List.copyOf(variables.values()), List.copyOf(params.values()), contents, nodes);
  }

  private Value single(Op op, Value... inputs) {
    return add(op, inputs).get(0);
  }
}
