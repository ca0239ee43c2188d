package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Node;
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
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** One row per operation. */
final class CudaKernels {
  /** Puts the commands of one node, or of a group that begins with it, into the binding. */
  interface Binder {
    void bind(Binding binding, Node node);
  }

  private static final Map<Class<? extends Op>, Binder> TABLE = table();

  private CudaKernels() {}

  /**
   * @throws DeviceException if there is no kernel for the group
   */
  static void bind(Binding binding) {
    Node node = binding.group().nodes().get(0);
    switch (binding.group().kind()) {
      case VIEW -> {} // A choice of storage alone.
      case LINEAR -> LinearCuda.packedForward(binding);
      case LINEAR_INPUT_GRADIENT -> LinearCuda.packedInputGradient(binding);
      case LINEAR_WEIGHT_GRADIENT -> LinearCuda.packedWeightGradient(binding);
      case LINEAR_GELU -> LinearCuda.forwardGelu(binding);
      case LINEAR_INPUT_GRADIENT_GELU -> LinearCuda.inputGradientGelu(binding);
      case SWIGLU_GRADIENT -> ElementCuda.swiGluGradient(binding, binding.group().last());
      case LAYER_NORM_GRADIENT_BIAS -> NormCuda.layerGradientBias(binding);
      case NODE, UPDATE, TENSORS -> {
        Binder binder = TABLE.get(node.op().getClass());
        if (binder == null) {
          throw new DeviceException("cuda: no kernel for " + node.op());
        }
        binder.bind(binding, node);
      }
    }
  }

  /** Operations that have a kernel here. */
  static Set<Class<? extends Op>> operations() {
    return Set.copyOf(TABLE.keySet());
  }

  private static Map<Class<? extends Op>, Binder> table() {
    Map<Class<? extends Op>, Binder> table = new HashMap<>();
    table.put(Accumulate.class, ElementCuda::accumulate);
    table.put(Add.class, ElementCuda::add);
    table.put(AddLoss.class, LossCuda::addLoss);
    table.put(AllGather.class, CollectiveCuda.binder(CollectiveCuda::allGather));
    table.put(AllReduce.class, CollectiveCuda.binder(CollectiveCuda::allReduce));
    table.put(AllToAll.class, CollectiveCuda.binder(CollectiveCuda::allToAll));
    table.put(Attention.class, AttentionCuda::forward);
    table.put(AttentionGradient.class, AttentionCuda::gradient);
    table.put(BiasGradient.class, LinearCuda::biasGradient);
    table.put(Broadcast.class, CollectiveCuda.binder(CollectiveCuda::broadcast));
    table.put(CachedAttention.class, CacheCuda::attention);
    table.put(ConcatColumns.class, ColumnCuda::concat);
    table.put(ConcatRows.class, ColumnCuda::joinRows);
    table.put(Copy.class, ElementCuda::copy);
    table.put(CrossEntropy.class, LossCuda::loss);
    table.put(CrossEntropyWithGradient.class, LossCuda::lossWithGradient);
    table.put(DequantizeNf4.class, Nf4Cuda::dequantize);
    table.put(Dropout.class, AdapterCuda::dropout);
    table.put(Embedding.class, EmbeddingCuda::forward);
    table.put(EmbeddingGradient.class, EmbeddingCuda::gradient);
    table.put(Fill.class, ElementCuda::fill);
    table.put(GatherColumns.class, ColumnCuda::gather);
    table.put(Gelu.class, ElementCuda::gelu);
    table.put(GeluGradient.class, ElementCuda::geluGradient);
    table.put(LayerNorm.class, NormCuda::layer);
    table.put(LayerNormGradient.class, NormCuda::layerGradient);
    table.put(Linear.class, LinearCuda::forward);
    table.put(LinearInputGradient.class, LinearCuda::inputGradient);
    table.put(LinearOnto.class, LinearCuda::onto);
    table.put(LinearWeightGradient.class, LinearCuda::weightGradient);
    table.put(Magnitude.class, AdapterCuda::magnitude);
    table.put(MagnitudeGradient.class, AdapterCuda::magnitudeGradient);
    table.put(MaskedGradient.class, AdapterCuda::maskedGradient);
    table.put(MaskedWeight.class, AdapterCuda::maskedWeight);
    table.put(RandomNormal.class, RandomCuda::normal);
    table.put(Reduce.class, CollectiveCuda.binder(CollectiveCuda::reduce));
    table.put(ReduceScatter.class, CollectiveCuda.binder(CollectiveCuda::reduceScatter));
    table.put(ResidualLayerNorm.class, NormCuda::residualLayer);
    table.put(ResidualRmsNorm.class, NormCuda::residualRms);
    table.put(RmsNorm.class, NormCuda::rms);
    table.put(RmsNormGradient.class, NormCuda::rmsGradient);
    table.put(Rope.class, RopeCuda::bind);
    table.put(RowNorms.class, AdapterCuda::rowNorms);
    table.put(Scale.class, AdapterCuda::scale);
    table.put(ScatterColumns.class, AdapterCuda::scatterColumns);
    table.put(SliceRows.class, ColumnCuda::sliceRows);
    table.put(SplitColumns.class, ColumnCuda::split);
    table.put(SwiGlu.class, ElementCuda::swiGlu);
    table.put(SwiGluGradient.class, ElementCuda::swiGluGradient);
    table.put(Upload.class, PerturbCuda::upload);
    table.put(WriteRows.class, CacheCuda::writeRows);
    updates(table);
    return table;
  }

  private static void updates(Map<Class<? extends Op>, Binder> table) {
    table.put(Adafactor.class, FactoredCuda::update);
    table.put(AdamDirection.class, DirectionCuda::adam);
    table.put(AdamMini.class, UpdateCuda::adamMini);
    table.put(AdamW.class, UpdateCuda::adamW);
    table.put(ClipScale.class, UpdateCuda::clipScale);
    table.put(Depart.class, OuterCuda::depart);
    table.put(Descend.class, DirectionCuda::descend);
    table.put(FactoredMoments.class, FactoredCuda::moments);
    table.put(FactoredRms.class, FactoredCuda::rms);
    table.put(GlobalNorm.class, UpdateCuda::globalNorm);
    table.put(Lion.class, UpdateCuda::lion);
    table.put(Mezo.class, PerturbCuda::mezo);
    table.put(Momentum.class, DirectionCuda::momentum);
    table.put(Normalize.class, DirectionCuda::normalize);
    table.put(Perturb.class, PerturbCuda::perturb);
    table.put(Project.class, SubspaceCuda::project);
    table.put(ProjectedGradient.class, PerturbCuda::projectedGradient);
    table.put(QuantizedAdamW.class, UpdateCuda::quantizedAdamW);
    table.put(ScaledUpdate.class, ScaledCuda::update);
    table.put(OuterUpdate.class, OuterCuda::update);
    table.put(SquaredDistance.class, OuterCuda::squaredDistance);
    table.put(StalenessGap.class, OuterCuda::stalenessGap);
    table.put(Sgd.class, UpdateCuda::sgd);
    table.put(Sketch.class, SketchCuda::sketch);
    table.put(SketchMoments.class, ScaledCuda::moments);
    table.put(Subspace.class, SubspaceCuda::subspace);
    table.put(WeightedSum.class, DirectionCuda::weightedSum);
  }
}
