package dev.kindling.worker.prune;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import java.util.List;
import java.util.Optional;

/**
 * Low-rank factors that were trained on a smaller model, as those of the larger one: rows of B and
 * columns of A go where the features that were kept stand, everything else is zero, so that (B A)
 * of kept outputs and inputs is as it was and zero elsewhere (Zhang et al. 2025, 2502.13533).
 */
public final class Recovery {
  private static final String DOWN = ".lora_A.weight";
  private static final String UP = ".lora_B.weight";

  private final Kept kept;

  public Recovery(Kept kept) {
    this.kept = kept;
  }

  /**
   * The parameter in the larger model.
   *
   * @throws PlanException if it is trained and belongs to a map that lost features, but is no
   *     factor
   */
  public Param whole(Param small) {
    String name = small.name();
    Shape shape = small.shape();
    if (name.endsWith(DOWN)) {
      shape =
          Shape.of(shape.dim(0), width(kept.inputs(map(name, DOWN)), map(name, DOWN), shape, 1));
    } else if (name.endsWith(UP)) {
      shape = Shape.of(width(kept.outputs(map(name, UP)), map(name, UP), shape, 0), shape.dim(1));
    } else {
      String map = name.replaceFirst("\\.(weight|bias|lora_magnitude_vector)$", "");
      if (kept.inputs(map).isPresent() || kept.outputs(map).isPresent()) {
        throw new PlanException(
            "--recover: expected factors of " + map + " alone, found " + name + ", trained whole");
      }
    }
    return new Param(name, shape, small.demand(), small.init(), small.decay());
  }

  private static String map(String name, String suffix) {
    return name.substring(0, name.length() - suffix.length());
  }

  /** The whole width of the features of which some were kept. */
  private int width(Optional<int[]> features, String map, Shape shape, int dim) {
    if (features.isEmpty()) {
      return shape.dim(dim);
    }
    if (features.get().length != shape.dim(dim)) {
      throw new PlanException(
          "--recover: "
              + map
              + ": expected factors of the "
              + features.get().length
              + " kept features, found "
              + shape.dim(dim));
    }
    Kept.Sizes of = kept.sizes();
    return switch (map.substring(map.lastIndexOf('.') + 1)) {
      case "q_proj", "o_proj" -> of.heads() * of.headDim();
      case "k_proj", "v_proj" -> of.kvHeads() * of.headDim();
      default -> of.mlpWidth();
    };
  }

  /**
   * Values of the parameters of the larger model.
   *
   * @param smalls parameters of the smaller model, in any order
   */
  public FirstValues values(List<Param> smalls, FirstValues trained) {
    return (param, from, target) -> {
      Param small =
          smalls.stream().filter(p -> p.name().equals(param.name())).findFirst().orElseThrow();
      if (small.shape().equals(param.shape())) {
        trained.fill(small, from, target);
        return;
      }
      try (Span values = trained.whole(small);
          Span whole = FirstValues.allocate(param)) {
        scatter(small, values, param, whole);
        for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
          target.putFloat(i, whole.getFloat(from + i));
        }
      }
    };
  }

  private void scatter(Param small, Span values, Param whole, Span into) {
    for (long i = 0; i < whole.shape().elements(); i++) {
      into.putFloat(i, 0f);
    }
    String name = small.name();
    Optional<int[]> rows = Optional.empty();
    Optional<int[]> columns = Optional.empty();
    if (name.endsWith(DOWN)) {
      columns = kept.inputs(map(name, DOWN));
    } else if (name.endsWith(UP)) {
      rows = kept.outputs(map(name, UP));
    }
    int width = small.shape().rank() == 1 ? 1 : small.shape().dim(1);
    int wide = whole.shape().rank() == 1 ? 1 : whole.shape().dim(1);
    for (long i = 0; i < small.shape().elements(); i++) {
      int row = (int) (i / width);
      int column = (int) (i % width);
      long at =
          (long) (rows.isPresent() ? rows.get()[row] : row) * wide
              + (columns.isPresent() ? columns.get()[column] : column);
      into.putFloat(at, values.getFloat(i));
    }
  }
}
