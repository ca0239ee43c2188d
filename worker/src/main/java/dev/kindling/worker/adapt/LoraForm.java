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
      return Optional.of(form(low, (param, from, target) -> fill(paca, trained, param, target)));
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

  /** Whole factors: nobody asks for pieces of them. */
  private static void fill(PacaProjection paca, FirstValues trained, Param param, Span target) {
    String map = param.name().replaceFirst("\\.lora_[AB]\\.weight$", "");
    PartialWeight part = paca.partial().get(map + ".weight");
    if (part == null || map.equals(param.name())) {
      trained.fill(param, 0, target);
    } else if (param.name().endsWith(Branch.DOWN)) {
      List<Integer> columns = part.columns().indices();
      for (int k = 0; k < columns.size(); k++) {
        for (int in = 0; in < part.weight().in(); in++) {
          target.putFloat((long) k * part.weight().in() + in, columns.get(k) == in ? 1f : 0f);
        }
      }
    } else {
      delta(Objects.requireNonNull(part), trained, target);
    }
  }

  private static void delta(PartialWeight part, FirstValues trained, Span target) {
    Param delta = part.trained().delta();
    int rank = part.columns().indices().size();
    int outs = part.weight().out();
    boolean outIn = part.weight().layout() == WeightLayout.OUT_IN;
    try (Span whole = Span.allocate(delta.type().bytes())) {
      trained.fill(delta, 0, whole);
      for (long at = 0; at < (long) rank * outs; at++) {
        long source = outIn ? at : at % rank * outs + at / rank;
        target.putFloat(at, whole.getFloat(source));
      }
    }
  }
}
