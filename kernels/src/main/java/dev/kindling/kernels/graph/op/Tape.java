package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Value;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What an operation sees while it writes its gradient: who wants what, and where contributions go.
 */
public interface Tape {
  /** Whether anybody demands the gradient of this input. */
  boolean wants(int input);

  /**
   * The demand behind this input; for a wanted value that is no parameter {@code Whole}, or the
   * trained columns of a matrix that is frozen otherwise.
   */
  Demand demand(int input);

  /** Gradient of this output, or null when nothing downstream depends on it. */
  @Nullable Value upstream(int output);

  /** Whether the gradient of this output is the constant 1 of the loss itself. */
  boolean seeded(int output);

  /** Contribution that other places may read as well; never written over. */
  void pass(int input, Value gradient);

  /** Contribution just computed and read by nobody else. */
  void deliver(int input, Value gradient);

  /**
   * Contribution by an operation that can add to an accumulator given as its last input, which its
   * output 0 then aliases. The function gets true when there is one: the gradient variable of a
   * parameter, or an earlier contribution.
   */
  void accumulate(int input, Function<Boolean, Op> op, Value... inputs);

  /** Sum of earlier contributions, taken off the tape: the caller's result must include it. */
  @Nullable Value takePending(int input);

  /** Current content of the gradient variable if this input is a wanted parameter, else null. */
  @Nullable Value accumulator(int input);
}
