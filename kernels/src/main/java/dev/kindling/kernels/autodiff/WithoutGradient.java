package dev.kindling.kernels.autodiff;

import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.graph.op.MaskedGradient;
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
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.op.WeightedSum;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.Map;

/** The closed list of operations without a gradient, each with its reason; a test pins it. */
public final class WithoutGradient {
  private static final String SECOND_ORDER =
      "is part of a backward pass; second derivatives are not offered";
  private static final String OUTER = "belongs to an outer step, between steps";
  private static final String UPDATE = "changes parameters after the gradients are complete";

  private static final String CACHE = "is part of generation; nothing is trained through a cache";

  private static final String CHUNKS = "cuts a loss into chunks after differentiation";

  /** Reason per operation. */
  public static final Map<Class<? extends Op>, String> REASONS =
      Map.ofEntries(
          Map.entry(Accumulate.class, SECOND_ORDER),
          Map.entry(AddLoss.class, "takes the place of the loss where nothing is differentiated"),
          Map.entry(AdamDirection.class, UPDATE),
          Map.entry(AdamMini.class, UPDATE),
          Map.entry(Adafactor.class, UPDATE),
          Map.entry(AdamW.class, UPDATE),
          Map.entry(AttentionGradient.class, SECOND_ORDER),
          Map.entry(BiasGradient.class, SECOND_ORDER),
          Map.entry(CachedAttention.class, CACHE),
          Map.entry(ClipScale.class, UPDATE),
          Map.entry(ConcatRows.class, CHUNKS),
          Map.entry(Copy.class, "publishes a value to the host; nothing downstream reads it"),
          Map.entry(
              CrossEntropy.class,
              "reverse mode turns it into CrossEntropyWithGradient before it differentiates"),
          Map.entry(DequantizeNf4.class, "unpacks what nobody trains"),
          Map.entry(EmbeddingGradient.class, SECOND_ORDER),
          Map.entry(FactoredRms.class, UPDATE),
          Map.entry(FactoredMoments.class, UPDATE),
          Map.entry(Fill.class, "a constant"),
          Map.entry(GatherColumns.class, SECOND_ORDER),
          Map.entry(GeluGradient.class, SECOND_ORDER),
          Map.entry(GlobalNorm.class, UPDATE),
          Map.entry(LayerNormGradient.class, SECOND_ORDER),
          Map.entry(LinearInputGradient.class, SECOND_ORDER),
          Map.entry(LinearWeightGradient.class, SECOND_ORDER),
          Map.entry(MagnitudeGradient.class, SECOND_ORDER),
          Map.entry(MaskedGradient.class, SECOND_ORDER),
          Map.entry(Mezo.class, UPDATE),
          Map.entry(Perturb.class, "takes the place of a gradient"),
          Map.entry(Project.class, UPDATE),
          Map.entry(Upload.class, "of steps without a backward pass"),
          Map.entry(ProjectedGradient.class, UPDATE),
          Map.entry(Lion.class, UPDATE),
          Map.entry(Normalize.class, UPDATE),
          Map.entry(Momentum.class, UPDATE),
          Map.entry(Depart.class, OUTER),
          Map.entry(OuterUpdate.class, OUTER),
          Map.entry(SquaredDistance.class, OUTER),
          Map.entry(StalenessGap.class, OUTER),
          Map.entry(Descend.class, UPDATE),
          Map.entry(QuantizedAdamW.class, UPDATE),
          Map.entry(RandomNormal.class, "depends on key and step alone"),
          Map.entry(Reduce.class, SECOND_ORDER),
          Map.entry(RmsNormGradient.class, SECOND_ORDER),
          Map.entry(RowNorms.class, "is a constant of backward, as DoRA detaches it"),
          Map.entry(ScaledUpdate.class, UPDATE),
          Map.entry(Sgd.class, UPDATE),
          Map.entry(Sketch.class, UPDATE),
          Map.entry(SketchMoments.class, UPDATE),
          Map.entry(SliceRows.class, CHUNKS),
          Map.entry(Subspace.class, UPDATE),
          Map.entry(SwiGluGradient.class, SECOND_ORDER),
          Map.entry(WeightedSum.class, UPDATE),
          Map.entry(WriteRows.class, CACHE));

  private WithoutGradient() {}
}
