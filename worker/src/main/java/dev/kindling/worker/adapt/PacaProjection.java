package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.model.Weight;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Frozen weights, of some of which some columns are trained.
 *
 * @param partial by the name of the matrix, in the order of the model
 */
record PacaProjection(FrozenWeights base, Map<String, PartialWeight> partial)
    implements Projection {
  PacaProjection {
    partial = Collections.unmodifiableMap(new LinkedHashMap<>(partial));
  }

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    return base.apply(b, weight, x, placed(weight.matrix()), weight.bias());
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return base.read(b, p);
  }

  private Param placed(Param p) {
    PartialWeight known = partial.get(p.name());
    return known == null ? base.placed(p) : known.matrix();
  }

  @Override
  public void declare(GraphBuilder b, ModelFamily model) {
    model.parameters().forEach(param -> b.master(placed(param)));
  }

  @Override
  public Optional<TrainedColumns> columns(Param p) {
    return Optional.ofNullable(partial.get(p.name())).map(PartialWeight::trained);
  }

  @Override
  public FirstValues merged(FirstValues first, FirstValues trained) {
    FirstValues plain = base.merged(first, trained);
    return (param, from, target) -> {
      plain.fill(param, from, target);
      PartialWeight known = partial.get(param.name());
      if (known != null) {
        known.write(trained, from, target);
      }
    };
  }

  @Override
  public FirstValues values(FirstValues first) {
    return (param, from, target) -> {
      String name = param.name();
      if (name.endsWith(PartialWeight.DELTA)) {
        zero(target);
      } else if (name.endsWith(PartialWeight.BASE)) {
        String map = name.substring(0, name.length() - PartialWeight.BASE.length());
        PartialWeight known = Objects.requireNonNull(partial.get(map + ".weight"), name);
        DerivedValues.columns(known.weight(), known.columns(), first, from, target);
      } else {
        first.fill(param, from, target);
      }
    };
  }

  private static void zero(Span target) {
    for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
      target.putFloat(i, 0f);
    }
  }
}
