package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.Set;

/**
 * Applies weights that nobody trains: no gradient, no state, and on a GPU no fp32 master. Adapters
 * add to what it writes.
 *
 * @param trained names of the parameters that are trained whole all the same
 */
record FrozenWeights(Set<String> trained) implements Projection {
  FrozenWeights {
    trained = Set.copyOf(trained);
  }

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    return apply(b, weight, x, placed(weight.matrix()), weight.bias());
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return b.param(placed(p));
  }

  /**
   * The product with a weight: the one sentence in which a base weight is applied.
   *
   * @param matrix the weight's matrix as it takes part
   * @param biased whether the bias is added here
   */
  Value apply(GraphBuilder b, Weight weight, Value x, Param matrix, boolean biased) {
    Linear linear = new Linear(weight.layout(), biased);
    return (biased
            ? b.add(linear, x, b.param(matrix), read(b, weight.offset()))
            : b.add(linear, x, b.param(matrix)))
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
    return (param, from, target) ->
        (trained.contains(param.name()) ? changed : base).fill(param, from, target);
  }

  @Override
  public void declare(GraphBuilder b, ModelFamily model) {
    model.parameters().forEach(param -> b.master(placed(param)));
  }
}
