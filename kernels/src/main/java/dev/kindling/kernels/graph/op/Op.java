package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;
import java.util.Optional;

/**
 * One coarse operation. A record says what is computed; shapes, gradient, cost and aliasing are its
 * methods. The list is closed, and a totality test walks it.
 */
public sealed interface Op
    permits Accumulate,
        AdamDirection,
        AdamMini,
        Adafactor,
        AdamW,
        Add,
        AddLoss,
        AllGather,
        AllReduce,
        AllToAll,
        Attention,
        AttentionGradient,
        BiasGradient,
        Broadcast,
        CachedAttention,
        ClipScale,
        ConcatColumns,
        ConcatRows,
        Copy,
        CrossEntropy,
        CrossEntropyWithGradient,
        DequantizeNf4,
        Depart,
        Descend,
        Dropout,
        Embedding,
        EmbeddingGradient,
        FactoredRms,
        FactoredMoments,
        Fill,
        GatherColumns,
        Gelu,
        GeluGradient,
        GlobalNorm,
        LayerNorm,
        LayerNormGradient,
        Linear,
        LinearInputGradient,
        LinearOnto,
        LinearWeightGradient,
        Lion,
        Magnitude,
        MagnitudeGradient,
        MaskedGradient,
        MaskedWeight,
        Mezo,
        Momentum,
        Normalize,
        OuterUpdate,
        Perturb,
        Project,
        ProjectedGradient,
        QuantizedAdamW,
        RandomNormal,
        Reduce,
        ReduceScatter,
        ResidualLayerNorm,
        ResidualRmsNorm,
        RmsNorm,
        RmsNormGradient,
        Rope,
        RowNorms,
        Scale,
        ScaledUpdate,
        ScatterColumns,
        Sgd,
        Sketch,
        SketchMoments,
        SliceRows,
        SplitColumns,
        SquaredDistance,
        StalenessGap,
        Subspace,
        SwiGlu,
        SwiGluGradient,
        Upload,
        WeightedSum,
        WriteRows {
  /** Answer of {@link #alias}: the output has memory of its own. */
  int OWN_MEMORY = -1;

  /** Types of the outputs; throws {@link PlanException} when the inputs do not fit. */
  List<ValueType> infer(List<ValueType> inputs);

  /** Multiplications and additions of matrix products; 0 for operations bound by memory. */
  default long flops(List<ValueType> inputs) {
    return 0;
  }

  /** Bytes read and written without a cache. */
  default long bytes(List<ValueType> inputs) {
    return inputs.stream().mapToLong(ValueType::bytes).sum()
        + infer(inputs).stream().mapToLong(ValueType::bytes).sum();
  }

  /** Index of the input whose memory this output always takes over, or {@link #OWN_MEMORY}. */
  default int alias(int output) {
    return OWN_MEMORY;
  }

  /**
   * The same operation writing over this input, whose content it then does not read; empty where it
   * does not add to it. What is added to a variable first need not find it cleared.
   */
  default Optional<Op> over(int input) {
    return Optional.empty();
  }

  /**
   * Whether the kernel stays right if this output is put over this input (same type) that dies
   * here.
   */
  default boolean mayReuse(int output, int input) {
    return false;
  }

  /** Whether backward takes the outputs as constants, whatever they were computed from. */
  default boolean detached() {
    return false;
  }

  /** Writes the gradient sentence of this operation; see {@link Tape}. */
  default void gradient(GraphBuilder builder, Node node, Tape tape) {
    throw new PlanException(getClass().getSimpleName() + " has no gradient");
  }
}
