package dev.kindling.kernels.testing;

import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A line of the case table as a graph in which the operation finds its operands as a model would
 * hand them over: activations come from a node, so that a device may store them narrower than fp32;
 * weights are parameters; sums and optimizer state are variables.
 *
 * @param contents of the variables, rounded to bf16, by name
 * @param outputs how many there are; their variables are {@link #output}
 */
public record DeviceCase(Graph graph, Map<String, double[]> contents, int outputs) {
  /** Operations on fp32 variables alone. */
  private static final Set<Class<?>> ON_VARIABLES =
      Set.of(
          Accumulate.class,
          AdamDirection.class,
          Adafactor.class,
          AdamMini.class,
          AdamW.class,
          ClipScale.class,
          Copy.class,
          Depart.class,
          Embedding.class,
          Fill.class,
          GlobalNorm.class,
          Mezo.class,
          Perturb.class,
          ProjectedGradient.class,
          FactoredMoments.class,
          FactoredRms.class,
          Lion.class,
          OuterUpdate.class,
          QuantizedAdamW.class,
          RandomNormal.class,
          ScaledUpdate.class,
          ScatterColumns.class,
          Sgd.class,
          Sketch.class,
          SketchMoments.class,
          SquaredDistance.class,
          StalenessGap.class,
          Subspace.class,
          Upload.class);

  /** Matrices that are no activations although the operation takes activations too. */
  private static final Map<Class<?>, Set<Integer>> VARIABLE_INPUTS =
      Map.ofEntries(
          Map.entry(AttentionGradient.class, Set.of(4)),
          Map.entry(BiasGradient.class, Set.of(1)),
          Map.entry(CachedAttention.class, Set.of(1, 2)),
          Map.entry(Descend.class, Set.of(0)),
          Map.entry(EmbeddingGradient.class, Set.of(2)),
          Map.entry(LayerNormGradient.class, Set.of(2)),
          Map.entry(Linear.class, Set.of(1)),
          Map.entry(LinearInputGradient.class, Set.of(1)),
          Map.entry(LinearWeightGradient.class, Set.of(2)),
          Map.entry(MaskedGradient.class, Set.of(0)),
          Map.entry(Momentum.class, Set.of(0, 1)),
          Map.entry(Project.class, Set.of(0)),
          Map.entry(RmsNormGradient.class, Set.of(2)),
          Map.entry(WriteRows.class, Set.of(1)));

  /** The first input that a model declares as a parameter, and how many follow it. */
  private static final Map<Class<?>, int[]> PARAMETERS =
      Map.ofEntries(
          Map.entry(Adafactor.class, new int[] {0, 1}),
          Map.entry(AdamMini.class, new int[] {0, 1}),
          Map.entry(AdamW.class, new int[] {0, 1}),
          Map.entry(Depart.class, new int[] {1, 1}),
          Map.entry(Descend.class, new int[] {0, 1}),
          Map.entry(Embedding.class, new int[] {0, 1}),
          Map.entry(LayerNorm.class, new int[] {1, 2}),
          Map.entry(LayerNormGradient.class, new int[] {1, 1}),
          Map.entry(Linear.class, new int[] {1, 2}),
          Map.entry(LinearInputGradient.class, new int[] {1, 1}),
          Map.entry(Mezo.class, new int[] {0, 1}),
          Map.entry(Perturb.class, new int[] {0, 1}),
          Map.entry(Lion.class, new int[] {0, 1}),
          Map.entry(OuterUpdate.class, new int[] {2, 1}),
          Map.entry(QuantizedAdamW.class, new int[] {0, 1}),
          Map.entry(ResidualLayerNorm.class, new int[] {2, 2}),
          Map.entry(ResidualRmsNorm.class, new int[] {2, 1}),
          Map.entry(RmsNorm.class, new int[] {1, 1}),
          Map.entry(RmsNormGradient.class, new int[] {1, 1}),
          Map.entry(ScaledUpdate.class, new int[] {0, 1}),
          Map.entry(ScatterColumns.class, new int[] {0, 2}),
          Map.entry(Sgd.class, new int[] {0, 1}),
          Map.entry(SquaredDistance.class, new int[] {1, 1}),
          Map.entry(Upload.class, new int[] {0, 1}));

  /**
   * The matrix that an operation writes although no update adds to it: a device may store it in
   * bf16 alone, where only rows of a table show it.
   */
  private static final Map<Class<?>, Integer> FROZEN = Map.of(ScatterColumns.class, 2);

  /** Gradients that a device may store in bf16, from the first of them; see {@link #isFresh}. */
  private static final Map<Class<?>, Integer> GRADIENTS =
      Map.ofEntries(
          Map.entry(Adafactor.class, 1),
          Map.entry(AdamMini.class, 1),
          Map.entry(AdamW.class, 1),
          Map.entry(EmbeddingGradient.class, 2),
          Map.entry(FactoredMoments.class, 0),
          Map.entry(FactoredRms.class, 0),
          Map.entry(GlobalNorm.class, 0),
          Map.entry(LinearWeightGradient.class, 2),
          Map.entry(Lion.class, 1),
          Map.entry(Momentum.class, 0),
          Map.entry(Project.class, 0),
          Map.entry(QuantizedAdamW.class, 1),
          Map.entry(ScaledUpdate.class, 1),
          Map.entry(Sgd.class, 1),
          Map.entry(Sketch.class, 0),
          Map.entry(Subspace.class, 0));

  public static DeviceCase of(OpCase line, long seed) {
    return of(line.op(), line.types(), line.values(seed));
  }

  /** As {@link #of}, with gradients that are written once a step. */
  public static DeviceCase withFreshGradients(OpCase line, long seed) {
    return of(line.op(), line.types(), line.values(seed), true);
  }

  /** Whether the line reads or writes a variable that may be a fresh gradient. */
  public static boolean takesFreshGradients(OpCase line) {
    return line.inputs().size() > GRADIENTS.getOrDefault(line.op().getClass(), Integer.MAX_VALUE);
  }

  /** The operation with these operands; floats are rounded to bf16. */
  public static DeviceCase of(Op op, List<ValueType> types, List<double[]> values) {
    return of(op, types, values, false);
  }

  private static DeviceCase of(
      Op op, List<ValueType> types, List<double[]> values, boolean freshGradients) {
    GraphBuilder builder = new GraphBuilder();
    Map<String, double[]> contents = new HashMap<>();
    Value[] inputs = new Value[types.size()];
    for (int i = 0; i < inputs.length; i++) {
      ValueType type = types.get(i);
      boolean floats = type.dtype() == DType.F32;
      contents.put("in" + i, floats ? rounded(values.get(i)) : values.get(i));
      boolean activation = isActivation(op, i, type);
      Role numbers = op instanceof QuantizedAdamW ? Role.STATE : Role.INPUT;
      Role role = floats ? (activation ? Role.PARAMETER : role(op, i)) : numbers;
      if (freshGradients && isFresh(op, i, types.size())) {
        role = Role.FRESH_GRADIENT;
      }
      Value value =
          isFrozen(op, i) ? frozen(builder, i, type) : builder.variable(variable(i, type, role));
      inputs[i] = activation ? rowsOf(builder, value, contents) : value;
    }
    List<Value> outputs = builder.add(op, inputs);
    for (int i = 0; i < outputs.size(); i++) {
      boolean frozen = isFrozen(op, op.alias(i));
      Value shown = frozen ? rowsOf(builder, outputs.get(i), contents) : outputs.get(i);
      builder.output(output(i), shown);
    }
    return new DeviceCase(builder.build(), contents, outputs.size());
  }

  /** Name of the variable that shows an output. */
  public static String output(int index) {
    return "out" + index;
  }

  private static Variable variable(int input, ValueType type, Role role) {
    return new Variable("in" + input, type, role);
  }

  private static Value frozen(GraphBuilder builder, int input, ValueType type) {
    return builder.param(new Param("in" + input, type.shape(), Demand.none(), Init.zeros(), false));
  }

  private static boolean isFrozen(Op op, int input) {
    return Integer.valueOf(input).equals(FROZEN.get(op.getClass()));
  }

  /** All rows of the table in their order: the same matrix, but written by a node. */
  private static Value rowsOf(GraphBuilder builder, Value table, Map<String, double[]> contents) {
    int rows = table.type().shape().dim(0);
    String name = "rows" + rows;
    contents.put(name, java.util.stream.IntStream.range(0, rows).asDoubleStream().toArray());
    Value ids = builder.variable(new Variable(name, ValueType.i32(rows), Role.INPUT));
    return builder.embedding(table, ids);
  }

  private static boolean isActivation(Op op, int input, ValueType type) {
    return type.dtype() == DType.F32
        && type.shape().rank() == 2
        && !ON_VARIABLES.contains(op.getClass())
        && !(op instanceof Collective)
        && !VARIABLE_INPUTS.getOrDefault(op.getClass(), Set.of()).contains(input);
  }

  private static boolean isFresh(Op op, int input, int inputs) {
    int first = GRADIENTS.getOrDefault(op.getClass(), Integer.MAX_VALUE);
    return op instanceof GlobalNorm norm ? input < norm.gradients(inputs) : input == first;
  }

  private static Role role(Op op, int input) {
    int[] range = PARAMETERS.getOrDefault(op.getClass(), new int[] {0, 0});
    boolean parameter = input >= range[0] && input < range[0] + range[1];
    return parameter ? Role.PARAMETER : Role.STATE;
  }

  /** Nearest bf16 numbers, ties to even. */
  public static double[] rounded(double[] values) {
    double[] rounded = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = rounded(values[i]);
    }
    return rounded;
  }

  /** Nearest bf16 number, ties to even. */
  public static double rounded(double value) {
    if (!Double.isFinite(value)) {
      return value;
    }
    int bits = Float.floatToRawIntBits((float) value);
    return Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
  }
}
