package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.model.Weight;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
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
    return base.apply(b, weight, x, matrix(b, weight), weight.bias());
  }

  /** Trained columns are a demand of a parameter, and written over a matrix that is unpacked. */
  private Value matrix(GraphBuilder b, Weight weight) {
    PartialWeight known = partial.get(weight.matrix().name());
    if (known == null) {
      return base.matrix(b, weight);
    }
    if (!base.nf4().containsKey(weight.matrix().name())) {
      return b.param(known.matrix());
    }
    TrainedColumns trained = known.trained();
    Value whole = base.matrix(b, weight);
    return b.add(trained.scatter(), b.param(trained.base()), b.param(trained.delta()), whole)
        .get(0);
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
  public List<Nf4Weight> packed() {
    return base.packed();
  }

  @Override
  public void declare(GraphBuilder b, ModelFamily model) {
    for (Param param : model.parameters()) {
      if (!base.nf4().containsKey(param.name())) {
        b.master(placed(param));
      }
    }
  }

  @Override
  public Optional<TrainedColumns> columns(Param p) {
    return base.nf4().containsKey(p.name())
        ? Optional.empty()
        : Optional.ofNullable(partial.get(p.name())).map(PartialWeight::trained);
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
  public FirstValues values(FirstValues plain) {
    FirstValues first = base.seen(plain);
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
