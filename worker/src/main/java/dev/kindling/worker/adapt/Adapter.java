package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.util.List;

/** What {@code adapter:} of a configuration names; {@code type:} picks the record. */
public sealed interface Adapter permits Full, Frozen, Lora, Dora, Paca, MaskLora, Perp {

  /**
   * How the parameters of a model take part in its training.
   *
   * @param model with its vocabulary fixed
   * @param seed key of all that is random
   * @throws dev.kindling.kernels.graph.PlanException if it does not fit the model
   */
  Projection projection(ModelFamily model, long seed);

  /** Notes, under {@code adapter.KEY}, what does not fit the model. */
  default void check(ModelFamily model, Expectation errors) {}

  /** The same from any working folder. */
  default Adapter absolute() {
    return this;
  }

  /** Share of the inputs of a branch that training leaves out. */
  default double dropout() {
    return 0;
  }

  /** Whether matrices that are trained begin at zero. */
  default boolean beginsAtZero() {
    return false;
  }

  /** Patterns of the modules whose parameters are trained whole. */
  default List<String> modulesToSave() {
    return List.of();
  }
}
