package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * An adapter as LoRA factors. Trained columns are such factors: B is their delta, row k of A is one
 * at column k and zero elsewhere.
 *
 * @param projection of the factors
 * @param values of the factors and of what is trained whole
 * @param targets paths of the linear maps that have factors, in the order of the model
 * @param saved names of the parameters that are trained whole
 * @param transposed whether the matrices are [in, out]
 */
public record LoraForm(
    Projection projection,
    FirstValues values,
    List<String> targets,
    Set<String> saved,
    boolean transposed) {
  public LoraForm {
    targets = List.copyOf(targets);
    saved = Set.copyOf(saved);
  }

  /**
   * @param trained values of what the projection trains
   * @return empty for a projection without factors, or with factors that a mask stands between
   */
  public static Optional<LoraForm> of(Projection projection, FirstValues trained) {
    if (projection instanceof LowRankProjection low
        && low.branches().values().stream().noneMatch(Branch::masked)) {
      return Optional.of(form(low, trained));
    }
    if (projection instanceof PacaProjection paca) {
      Map<String, Branch> branches = new LinkedHashMap<>();
      for (PartialWeight part : paca.partial().values()) {
        Weight weight = part.weight();
        int rank = part.columns().indices().size();
        branches.put(weight.name(), new Branch(weight, rank, part.scale(), BranchKind.BESIDE));
      }
      LowRankProjection low = new LowRankProjection(paca.base(), branches, 0f, 0);
      return Optional.of(
          form(low, (param, from, target) -> fill(paca, trained, param, from, target)));
    }
    return Optional.empty();
  }

  private static LoraForm form(LowRankProjection low, FirstValues values) {
    boolean transposed =
        low.branches().values().stream()
            .anyMatch(branch -> branch.weight().layout() == WeightLayout.IN_OUT);
    List<String> targets = List.copyOf(low.branches().keySet());
    return new LoraForm(low, values, targets, low.base().trained(), transposed);
  }

  private static void fill(
      PacaProjection paca, FirstValues trained, Param param, long from, Span target) {
    String map = param.name().replaceFirst("\\.lora_[AB]\\.weight$", "");
    PartialWeight part = paca.partial().get(map + ".weight");
    if (part == null || map.equals(param.name())) {
      trained.fill(param, from, target);
    } else if (param.name().endsWith(Branch.DOWN)) {
      List<Integer> columns = part.columns().indices();
      for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
        int row = (int) ((from + i) / part.weight().in());
        int in = (int) ((from + i) % part.weight().in());
        target.putFloat(i, columns.get(row) == in ? 1f : 0f);
      }
    } else {
      delta(Objects.requireNonNull(part), trained, from, target);
    }
  }

  private static void delta(PartialWeight part, FirstValues trained, long from, Span target) {
    Param delta = part.trained().delta();
    int rank = part.columns().indices().size();
    int outs = part.weight().out();
    boolean outIn = part.weight().layout() == WeightLayout.OUT_IN;
    try (Span whole = trained.whole(delta)) {
      for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
        long at = from + i;
        long source = outIn ? at : at % rank * outs + at / rank;
        target.putFloat(i, whole.getFloat(source));
      }
    }
  }
}
