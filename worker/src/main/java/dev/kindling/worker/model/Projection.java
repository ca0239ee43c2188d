package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import java.util.List;
import java.util.Optional;

/**
 * Decides how the parameters of a model take part: which are trained, and what is added beside a
 * linear map.
 *
 * <p>A model family passes every parameter through here and never calls {@link GraphBuilder#param}
 * itself, so an adapter is one implementation of this interface (package {@code worker.adapt}) and
 * works for every family. {@link Full} trains everything.
 */
public interface Projection {

  /**
   * Applies a linear map.
   *
   * @param x input, [T, in]
   * @return [T, out]
   */
  Value project(GraphBuilder b, Weight weight, Value x);

  /**
   * Applies linear maps of one input, which a device may compute as one product.
   *
   * @param x input, [T, in]
   * @return [T, out] of each weight, in their order
   */
  default List<Value> project(GraphBuilder b, List<Weight> weights, Value x) {
    return weights.stream().map(weight -> project(b, weight, x)).toList();
  }

  /** Reads a parameter that is no linear map: a gain, a bias of a norm, an embedding table. */
  Value read(GraphBuilder b, Param p);

  /**
   * Declares what shall lie side by side, before the model's sentence: a device joins products
   * whose weights are neighbours.
   */
  default void declare(GraphBuilder b, ModelFamily model) {}

  /** The same without what training alone does, such as dropout. */
  default Projection evaluating() {
    return this;
  }

  /**
   * How a parameter that demands some columns is trained.
   *
   * @return empty for all others
   */
  default Optional<TrainedColumns> columns(Param p) {
    return Optional.empty();
  }

  /** Frozen matrices that are kept packed, in the place of parameters. */
  default List<Nf4Weight> packed() {
    return List.of();
  }

  /**
   * Where a run begins.
   *
   * @param base first values of the model's own parameters
   * @return those, and first values of what is added to them
   */
  default FirstValues values(FirstValues base) {
    return base;
  }

  /**
   * The model without adapter that computes the same.
   *
   * @param base where the model's own parameters began
   * @param trained what training made of those parameters that it changes
   * @return the model's own parameters, each rounded once
   */
  default FirstValues merged(FirstValues base, FirstValues trained) {
    return trained;
  }
}
