package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import java.util.List;

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
}
