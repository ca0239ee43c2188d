package dev.kindling.kernels.backend.cuda.layout;

import static dev.kindling.kernels.backend.cuda.layout.OpStorage.Outputs.ACTIVATION;
import static dev.kindling.kernels.backend.cuda.layout.OpStorage.Outputs.AS_INPUT;
import static dev.kindling.kernels.backend.cuda.layout.OpStorage.Outputs.FP32;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.op.WeightedSum;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One row per operation: how its outputs are stored, and which operands its kernel takes with a row
 * stride. An operation without a row is refused, and a test walks the closed list.
 *
 * @param outputs by output; the last one holds for all further outputs
 * @param stridedInputs indices of inputs that may be strided
 * @param stridedOutputs indices of outputs that may be strided
 */
record OpStorage(List<Outputs> outputs, Set<Integer> stridedInputs, Set<Integer> stridedOutputs) {
  /**
   * How an fp32 matrix that the operation writes is stored. An alias is stored as what it takes
   * over.
   */
  enum Outputs {
    /** bf16 under {@link Precision#BF16}. */
    ACTIVATION,
    /** As the inputs that are matrices: bf16 if all of them are. */
    AS_INPUT,
    FP32
  }

  private static final Set<Integer> DENSE = Set.of();
  private static final OpStorage SUMS = new OpStorage(List.of(FP32), DENSE, DENSE);
  private static final OpStorage MOVES = new OpStorage(List.of(AS_INPUT), DENSE, DENSE);
  private static final OpStorage RESIDUAL_NORM =
      new OpStorage(List.of(ACTIVATION, ACTIVATION, FP32), DENSE, DENSE);
  private static final OpStorage NORM = new OpStorage(List.of(ACTIVATION, FP32), DENSE, DENSE);

  static final Map<Class<? extends Op>, OpStorage> ROWS =
      Map.ofEntries(
          Map.entry(Accumulate.class, SUMS),
          Map.entry(AdamDirection.class, NORM),
          Map.entry(AdamMini.class, SUMS),
          Map.entry(Adafactor.class, SUMS),
          Map.entry(AdamW.class, SUMS),
          Map.entry(Add.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(AddLoss.class, new OpStorage(List.of(FP32), Set.of(0), DENSE)),
          Map.entry(AllGather.class, MOVES),
          Map.entry(AllReduce.class, MOVES),
          Map.entry(AllToAll.class, MOVES),
          Map.entry(
              Attention.class, new OpStorage(List.of(ACTIVATION, FP32), Set.of(0, 1, 2), DENSE)),
          Map.entry(
              AttentionGradient.class,
              new OpStorage(List.of(ACTIVATION), Set.of(0, 1, 2), Set.of(0, 1, 2))),
          Map.entry(BiasGradient.class, new OpStorage(List.of(FP32), Set.of(0), DENSE)),
          Map.entry(Broadcast.class, MOVES),
          Map.entry(CachedAttention.class, new OpStorage(List.of(ACTIVATION), Set.of(0), DENSE)),
          Map.entry(ClipScale.class, SUMS),
          Map.entry(
              ConcatColumns.class,
              // Any number of inputs: see acceptsStride.
              new OpStorage(List.of(AS_INPUT), DENSE, DENSE)),
          Map.entry(ConcatRows.class, MOVES),
          Map.entry(Copy.class, SUMS),
          Map.entry(CrossEntropy.class, new OpStorage(List.of(FP32), Set.of(0), DENSE)),
          Map.entry(
              CrossEntropyWithGradient.class,
              new OpStorage(List.of(FP32, FP32, ACTIVATION), Set.of(0), Set.of(2))),
          Map.entry(DequantizeNf4.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(Dropout.class, new OpStorage(List.of(ACTIVATION), Set.of(0), Set.of(0))),
          Map.entry(Embedding.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(EmbeddingGradient.class, SUMS),
          Map.entry(FactoredRms.class, SUMS),
          Map.entry(FactoredMoments.class, SUMS),
          Map.entry(Fill.class, SUMS),
          Map.entry(GatherColumns.class, new OpStorage(List.of(AS_INPUT), Set.of(0), DENSE)),
          Map.entry(Gelu.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(GeluGradient.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(GlobalNorm.class, SUMS),
          Map.entry(LayerNorm.class, NORM),
          Map.entry(LayerNormGradient.class, NORM),
          Map.entry(Linear.class, new OpStorage(List.of(ACTIVATION), Set.of(0), Set.of(0))),
          Map.entry(
              LinearInputGradient.class,
              new OpStorage(List.of(ACTIVATION), Set.of(0, 2), Set.of(0))),
          Map.entry(LinearOnto.class, new OpStorage(List.of(ACTIVATION), Set.of(0, 2), Set.of(0))),
          Map.entry(LinearWeightGradient.class, new OpStorage(List.of(FP32), Set.of(0, 1), DENSE)),
          Map.entry(Magnitude.class, new OpStorage(List.of(ACTIVATION), Set.of(0), Set.of(0))),
          Map.entry(MagnitudeGradient.class, new OpStorage(List.of(FP32), Set.of(0, 1), DENSE)),
          Map.entry(MaskedGradient.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(MaskedWeight.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(Mezo.class, SUMS),
          Map.entry(Perturb.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(Project.class, SUMS),
          Map.entry(ProjectedGradient.class, SUMS),
          Map.entry(Lion.class, SUMS),
          Map.entry(WeightedSum.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(Normalize.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(Momentum.class, NORM),
          Map.entry(Depart.class, SUMS),
          Map.entry(Descend.class, SUMS),
          Map.entry(OuterUpdate.class, SUMS),
          Map.entry(SquaredDistance.class, SUMS),
          Map.entry(StalenessGap.class, SUMS),
          Map.entry(QuantizedAdamW.class, SUMS),
          Map.entry(RandomNormal.class, SUMS),
          Map.entry(Reduce.class, MOVES),
          Map.entry(ReduceScatter.class, MOVES),
          Map.entry(ResidualLayerNorm.class, RESIDUAL_NORM),
          Map.entry(ResidualRmsNorm.class, RESIDUAL_NORM),
          Map.entry(RmsNorm.class, new OpStorage(List.of(ACTIVATION, FP32), Set.of(0), DENSE)),
          Map.entry(
              RmsNormGradient.class,
              new OpStorage(List.of(ACTIVATION, FP32), Set.of(0), Set.of(0))),
          Map.entry(Rope.class, new OpStorage(List.of(ACTIVATION), Set.of(0), Set.of(0))),
          Map.entry(RowNorms.class, SUMS),
          Map.entry(Scale.class, new OpStorage(List.of(AS_INPUT), Set.of(0), Set.of(0))),
          Map.entry(ScaledUpdate.class, SUMS),
          Map.entry(ScatterColumns.class, SUMS),
          Map.entry(Sgd.class, SUMS),
          Map.entry(Sketch.class, SUMS),
          Map.entry(SketchMoments.class, SUMS),
          Map.entry(SliceRows.class, MOVES),
          Map.entry(SplitColumns.class, new OpStorage(List.of(AS_INPUT), Set.of(0), DENSE)),
          Map.entry(Subspace.class, new OpStorage(List.of(FP32, FP32, ACTIVATION), DENSE, DENSE)),
          Map.entry(SwiGlu.class, new OpStorage(List.of(ACTIVATION), Set.of(0, 1), DENSE)),
          Map.entry(
              SwiGluGradient.class, new OpStorage(List.of(ACTIVATION), Set.of(0, 1), Set.of(0, 1))),
          Map.entry(Upload.class, new OpStorage(List.of(ACTIVATION), DENSE, DENSE)),
          Map.entry(WriteRows.class, new OpStorage(List.of(FP32), Set.of(0), DENSE)));

  static OpStorage of(Op op) {
    OpStorage row = ROWS.get(op.getClass());
    if (row == null) {
      throw new PlanException("cuda: no storage row for " + op);
    }
    return row;
  }

  Outputs output(int index) {
    return outputs.get(Math.min(index, outputs.size() - 1));
  }

  static boolean acceptsStride(Node node, int input) {
    return node.op() instanceof ConcatColumns || of(node.op()).stridedInputs().contains(input);
  }

  static boolean writesStride(Node node, int output) {
    return of(node.op()).stridedOutputs().contains(output);
  }
}
