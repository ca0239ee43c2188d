package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.Collective;
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
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Every operation in fp64. Integers travel as doubles. Inputs are never changed. */
public final class Oracle {
  /** Arguments of one evaluation. */
  record Call(Op op, List<ValueType> types, List<double[]> inputs, List<ValueType> outputTypes) {
    double[] in(int i) {
      return inputs.get(i);
    }

    int dim(int input, int index) {
      return types.get(input).shape().dim(index);
    }

    int last() {
      return inputs.size() - 1;
    }
  }

  interface Rule {
    List<double[]> apply(Call call);
  }

  private static final Map<Class<? extends Op>, Rule> RULES = rules();

  private Oracle() {}

  /** Contents of the outputs. */
  public static List<double[]> evaluate(Op op, List<ValueType> types, List<double[]> inputs) {
    Call call = new Call(op, types, inputs, op.infer(types));
    return Objects.requireNonNull(RULES.get(op.getClass()), () -> "no oracle for " + op)
        .apply(call);
  }

  /** Contents of the outputs of each rank, from the inputs of each rank. */
  public static List<List<double[]>> evaluateRanks(
      Op op, List<ValueType> types, List<List<double[]>> ranks) {
    return op instanceof Collective
        ? CollectiveOracle.evaluate(op, ranks)
        : ranks.stream().map(inputs -> evaluate(op, types, inputs)).toList();
  }

  private static Map<Class<? extends Op>, Rule> rules() {
    Map<Class<? extends Op>, Rule> rules = new HashMap<>();
    rules.put(Accumulate.class, SimpleOracle::add);
    rules.put(Add.class, SimpleOracle::add);
    rules.put(AddLoss.class, ZerothOrderOracle::addLoss);
    rules.put(Attention.class, AttentionOracle::forward);
    rules.put(AttentionGradient.class, AttentionOracle::gradient);
    rules.put(BiasGradient.class, LinearOracle::bias);
    rules.put(CachedAttention.class, CacheOracle::attention);
    rules.put(ConcatColumns.class, SimpleOracle::concat);
    rules.put(ConcatRows.class, SimpleOracle::concatRows);
    rules.put(Copy.class, call -> List.of(call.in(0).clone()));
    rules.put(CrossEntropy.class, call -> LossOracle.loss(call).subList(0, 2));
    rules.put(CrossEntropyWithGradient.class, LossOracle::loss);
    rules.put(DequantizeNf4.class, QuantizedOracle::nf4);
    rules.put(Dropout.class, AdapterOracle::dropout);
    rules.put(Embedding.class, SimpleOracle::embedding);
    rules.put(EmbeddingGradient.class, SimpleOracle::embeddingGradient);
    rules.put(Fill.class, SimpleOracle::fill);
    rules.put(GatherColumns.class, SimpleOracle::gather);
    rules.put(Gelu.class, SimpleOracle::gelu);
    rules.put(GeluGradient.class, SimpleOracle::geluGradient);
    rules.put(LayerNorm.class, NormOracle::layer);
    rules.put(LayerNormGradient.class, NormOracle::layerGradient);
    rules.put(Linear.class, LinearOracle::forward);
    rules.put(LinearInputGradient.class, LinearOracle::input);
    rules.put(LinearOnto.class, AdapterOracle::linearOnto);
    rules.put(LinearWeightGradient.class, LinearOracle::weight);
    rules.put(Magnitude.class, AdapterOracle::magnitude);
    rules.put(MagnitudeGradient.class, AdapterOracle::magnitudeGradient);
    rules.put(MaskedGradient.class, AdapterOracle::maskedGradient);
    rules.put(MaskedWeight.class, AdapterOracle::maskedWeight);
    rules.put(RandomNormal.class, SimpleOracle::randomNormal);
    rules.put(ResidualLayerNorm.class, NormOracle::residualLayer);
    rules.put(ResidualRmsNorm.class, NormOracle::residualRms);
    rules.put(RmsNorm.class, NormOracle::rms);
    rules.put(RmsNormGradient.class, NormOracle::rmsGradient);
    rules.put(Rope.class, SimpleOracle::rope);
    rules.put(RowNorms.class, AdapterOracle::rowNorms);
    rules.put(Scale.class, AdapterOracle::scale);
    rules.put(ScatterColumns.class, AdapterOracle::scatterColumns);
    rules.put(SliceRows.class, SimpleOracle::sliceRows);
    rules.put(SplitColumns.class, SimpleOracle::split);
    rules.put(SwiGlu.class, SimpleOracle::swiGlu);
    rules.put(SwiGluGradient.class, SimpleOracle::swiGluGradient);
    rules.put(Upload.class, call -> List.of(call.in(0).clone()));
    rules.put(WriteRows.class, CacheOracle::writeRows);
    updates(rules);
    return rules;
  }

  private static void updates(Map<Class<? extends Op>, Rule> rules) {
    rules.put(Adafactor.class, FactoredOracle::update);
    rules.put(AdamDirection.class, SubspaceOracle::direction);
    rules.put(AdamMini.class, UpdateOracle::adamMini);
    rules.put(AdamW.class, UpdateOracle::adamW);
    rules.put(ClipScale.class, UpdateOracle::clipScale);
    rules.put(Descend.class, DirectionOracle::descend);
    rules.put(FactoredMoments.class, FactoredOracle::moments);
    rules.put(FactoredRms.class, FactoredOracle::rms);
    rules.put(GlobalNorm.class, UpdateOracle::globalNorm);
    rules.put(Lion.class, UpdateOracle::lion);
    rules.put(Mezo.class, ZerothOrderOracle::mezo);
    rules.put(Momentum.class, DirectionOracle::momentum);
    rules.put(Normalize.class, DirectionOracle::normalize);
    rules.put(Perturb.class, ZerothOrderOracle::perturb);
    rules.put(Project.class, SubspaceOracle::project);
    rules.put(ProjectedGradient.class, ZerothOrderOracle::projectedGradient);
    rules.put(QuantizedAdamW.class, QuantizedOracle::adamW);
    rules.put(ScaledUpdate.class, SketchOracle::update);
    rules.put(Depart.class, OuterOracle::depart);
    rules.put(OuterUpdate.class, OuterOracle::update);
    rules.put(SquaredDistance.class, OuterOracle::squaredDistance);
    rules.put(StalenessGap.class, OuterOracle::stalenessGap);
    rules.put(Sgd.class, UpdateOracle::sgd);
    rules.put(Sketch.class, SketchOracle::sketch);
    rules.put(SketchMoments.class, SketchOracle::moments);
    rules.put(Subspace.class, SubspaceOracle::subspace);
    rules.put(WeightedSum.class, DirectionOracle::weightedSum);
  }
}
