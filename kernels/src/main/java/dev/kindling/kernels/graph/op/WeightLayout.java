package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Shape;

/** How a linear weight lies in memory. N output features, K input features. */
public enum WeightLayout {
  /** [N, K], as in most published models. */
  OUT_IN,
  /** [K, N], as in GPT-2. */
  IN_OUT;

  public int out(Shape weight) {
    return weight.dim(this == OUT_IN ? 0 : 1);
  }

  public int in(Shape weight) {
    return weight.dim(this == OUT_IN ? 1 : 0);
  }

  public Shape shape(int out, int in) {
    return this == OUT_IN ? Shape.of(out, in) : Shape.of(in, out);
  }

  /** Shape of the gradient when only some input features are demanded. */
  public Shape columns(Shape weight, Columns columns) {
    return shape(out(weight), columns.indices().size());
  }
}
