package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import java.util.HashMap;
import java.util.Map;

/** One row per operation. */
final class CpuKernels {
  private CpuKernels() {}

  static Map<Class<? extends Op>, CpuKernel> table(RopeCpu rope) {
    Map<Class<? extends Op>, CpuKernel> table = new HashMap<>();
    table.put(Accumulate.class, ElementCpu::accumulate);
    table.put(AdamW.class, UpdateCpu::adamW);
    table.put(Add.class, ElementCpu::add);
    table.put(AllGather.class, CollectiveCpu::allGather);
    table.put(AllReduce.class, CollectiveCpu::allReduce);
    table.put(AllToAll.class, CollectiveCpu::allToAll);
    table.put(Attention.class, AttentionCpu::bind);
    table.put(AttentionGradient.class, AttentionGradientCpu::bind);
    table.put(BiasGradient.class, LinearCpu::biasGradient);
    table.put(Broadcast.class, CollectiveCpu::broadcast);
    table.put(ClipScale.class, UpdateCpu::clipScale);
    table.put(ConcatColumns.class, ColumnCpu::concat);
    table.put(ConcatRows.class, RowCpu::concat);
    table.put(Copy.class, ElementCpu::copy);
    table.put(CrossEntropy.class, LossCpu::loss);
    table.put(CrossEntropyWithGradient.class, LossCpu::lossWithGradient);
    table.put(Embedding.class, EmbeddingCpu::forward);
    table.put(EmbeddingGradient.class, EmbeddingCpu::gradient);
    table.put(Fill.class, ElementCpu::fill);
    table.put(GatherColumns.class, ColumnCpu::gather);
    table.put(Gelu.class, ElementCpu::gelu);
    table.put(GeluGradient.class, ElementCpu::geluGradient);
    table.put(GlobalNorm.class, UpdateCpu::globalNorm);
    table.put(LayerNorm.class, NormCpu::layer);
    table.put(LayerNormGradient.class, NormCpu::layerGradient);
    table.put(Linear.class, LinearCpu::forward);
    table.put(LinearInputGradient.class, LinearCpu::inputGradient);
    table.put(LinearWeightGradient.class, LinearCpu::weightGradient);
    table.put(RandomNormal.class, RandomCpu::normal);
    table.put(Reduce.class, CollectiveCpu::reduce);
    table.put(ReduceScatter.class, CollectiveCpu::reduceScatter);
    table.put(ResidualLayerNorm.class, NormCpu::residualLayer);
    table.put(ResidualRmsNorm.class, NormCpu::residualRms);
    table.put(RmsNorm.class, NormCpu::rms);
    table.put(RmsNormGradient.class, NormCpu::rmsGradient);
    table.put(Rope.class, rope);
    table.put(Sgd.class, UpdateCpu::sgd);
    table.put(SliceRows.class, RowCpu::slice);
    table.put(SplitColumns.class, ColumnCpu::split);
    table.put(SwiGlu.class, ElementCpu::swiGlu);
    table.put(SwiGluGradient.class, ElementCpu::swiGluGradient);
    return table;
  }
}
