package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Applies weights that nobody trains: no gradient, no state, and on a GPU no fp32 master. Adapters
 * add to what it writes.
 *
 * @param trained names of the parameters that are trained whole all the same
 * @param nf4 hidden matrices that are kept in 4 bits, by name, in the order of the model
 */
record FrozenWeights(Set<String> trained, Map<String, Nf4Weight> nf4) implements Projection {
  FrozenWeights {
    trained = Set.copyOf(trained);
    nf4 = Collections.unmodifiableMap(new LinkedHashMap<>(nf4));
  }

  /**
   * @param saved patterns of the modules that are trained whole
   */
  static FrozenWeights of(Modules modules, List<String> saved, Base base) {
    Set<String> trained = modules.trained(saved);
    Map<String, Nf4Weight> nf4 = new LinkedHashMap<>();
    for (Weight map : modules.maps()) {
      Param matrix = map.matrix();
      if (base == Base.NF4 && matrix.hidden() && !trained.contains(matrix.name())) {
        nf4.put(matrix.name(), new Nf4Weight(matrix));
      }
    }
    return new FrozenWeights(trained, nf4);
  }

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    return apply(b, weight, x, matrix(b, weight), weight.bias());
  }

  /** The matrix as a product reads it: where it lies, or unpacked. */
  Value matrix(GraphBuilder b, Weight weight) {
    Nf4Weight packed = nf4.get(weight.matrix().name());
    return packed == null ? b.param(placed(weight.matrix())) : packed.read(b);
  }

  @Override
  public List<Nf4Weight> packed() {
    return List.copyOf(nf4.values());
  }

  /** First values as the products of a run see them. */
  FirstValues seen(FirstValues first) {
    return nf4.isEmpty() ? first : new Nf4Values(first, nf4);
  }

  @Override
  public FirstValues values(FirstValues base) {
    return seen(base);
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return b.param(placed(p));
  }

  /**
   * The product with a weight: the one sentence in which a base weight is applied.
   *
   * @param matrix the weight's matrix
   * @param biased whether the bias is added here
   */
  Value apply(GraphBuilder b, Weight weight, Value x, Value matrix, boolean biased) {
    Linear linear = new Linear(weight.layout(), biased);
    return (biased ? b.add(linear, x, matrix, read(b, weight.offset())) : b.add(linear, x, matrix))
        .get(0);
  }

  /** The parameter with its demand. */
  Param placed(Param p) {
    return trained.contains(p.name()) ? p : demanding(p, Demand.none());
  }

  static Param demanding(Param p, Demand demand) {
    return new Param(p.name(), p.shape(), demand, p.init(), p.decay());
  }

  @Override
  public FirstValues merged(FirstValues base, FirstValues changed) {
    FirstValues kept = seen(base);
    return (param, from, target) ->
        (trained.contains(param.name()) ? changed : kept).fill(param, from, target);
  }

  @Override
  public void declare(GraphBuilder b, ModelFamily model) {
    for (Param param : model.parameters()) {
      if (!nf4.containsKey(param.name())) {
        b.master(placed(param));
      }
    }
  }
}
