package dev.kindling.kernels.graph;

/**
 * Where a rank keeps a parameter, and what the sentences of a model read of it. A model asks its
 * builder for a parameter and never learns whether the rank holds all of it.
 */
public interface Placement {
  /** Every rank holds the whole parameter and reads it where it lies. */
  Placement WHOLE =
      new Placement() {
        @Override
        public Variable master(Param param) {
          return param.variable();
        }

        @Override
        public Value read(GraphBuilder builder, Param param) {
          return builder.master(param);
        }
      };

  /** The fp32 variable that an update changes: the whole parameter, or this rank's piece of it. */
  Variable master(Param param);

  /**
   * The whole parameter as a product, table or norm reads it; may write nodes. Called once for
   * every use of the parameter.
   */
  Value read(GraphBuilder builder, Param param);
}
