package dev.kindling.kernels.autodiff;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Tape;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The tape of one reverse pass: contributions per value, and the gradient variables of parameters.
 */
final class GradientTape implements Tape {
  /** {@code owned}: read by nobody else, so it may be written over. */
  private record Contribution(Value value, boolean owned) {}

  private final GraphBuilder builder;
  private final Map<Param, Variable> variables;
  private final Set<Integer> demanded;

  /** Values of which trained columns were written over frozen ones. */
  private final Map<Integer, Demand> columns;

  private final Value seed;
  private final Map<Integer, Contribution> contributions = new HashMap<>();
  private @Nullable Node entered;

  GradientTape(
      GraphBuilder builder,
      Map<Param, Variable> variables,
      Set<Integer> demanded,
      Map<Integer, Demand> columns,
      Value seed) {
    this.columns = columns;
    this.builder = builder;
    this.variables = variables;
    this.demanded = demanded;
    this.seed = seed;
  }

  void begin(Value output, Value upstream) {
    contributions.put(output.id(), new Contribution(upstream, false));
  }

  /** Makes the node current; false when nothing reaches it or nobody demands what it reads. */
  boolean enter(Node node) {
    entered = node;
    return node.outputs().stream().anyMatch(output -> contributions.containsKey(output.id()))
        && node.inputs().stream().anyMatch(input -> demanded.contains(input.id()));
  }

  /** What was contributed to a value, summed up; null when nothing was. */
  @Nullable Value contribution(int value) {
    Contribution contribution = contributions.get(value);
    return contribution == null ? null : contribution.value();
  }

  @Override
  public boolean wants(int input) {
    return demanded.contains(input(input).id());
  }

  @Override
  public Demand demand(int input) {
    Param param = builder.paramOf(input(input));
    Demand computed = columns.getOrDefault(input(input).id(), Demand.whole());
    return param == null ? computed : param.demand();
  }

  @Override
  public @Nullable Value upstream(int output) {
    Contribution contribution = contributions.get(node().output(output).id());
    return contribution == null ? null : contribution.value();
  }

  @Override
  public boolean seeded(int output) {
    return seed.equals(upstream(output));
  }

  @Override
  public void pass(int input, Value gradient) {
    contribute(input, gradient, false);
  }

  @Override
  public void deliver(int input, Value gradient) {
    contribute(input, gradient, true);
  }

  private void contribute(int input, Value gradient, boolean owned) {
    Value target = input(input);
    Value variable = accumulator(input);
    if (variable != null) {
      builder.add(new Accumulate(), variable, gradient);
      return;
    }
    Contribution earlier = contributions.get(target.id());
    if (earlier == null) {
      contributions.put(target.id(), new Contribution(gradient, owned));
    } else if (gradient.equals(seed)) {
      throw new PlanException(target + " is a summand of the loss twice");
    } else {
      Value sum = builder.add(new Add(), earlier.value(), gradient).get(0);
      contributions.put(target.id(), new Contribution(sum, true));
    }
  }

  @Override
  public void accumulate(int input, Function<Boolean, Op> op, Value... inputs) {
    Value variable = accumulator(input);
    if (variable != null) {
      builder.add(op.apply(true), with(inputs, variable));
      return;
    }
    int target = input(input).id();
    Contribution earlier = contributions.get(target);
    if (earlier != null && earlier.owned()) {
      Value sum = builder.add(op.apply(true), with(inputs, earlier.value())).get(0);
      contributions.put(target, new Contribution(sum, true));
    } else {
      deliver(input, builder.add(op.apply(false), inputs).get(0));
    }
  }

  @Override
  public @Nullable Value takePending(int input) {
    Contribution earlier = contributions.remove(input(input).id());
    return earlier == null ? null : earlier.value();
  }

  @Override
  public @Nullable Value accumulator(int input) {
    Param param = builder.paramOf(input(input));
    Variable variable = param == null ? null : variables.get(param);
    return variable == null ? null : builder.variable(variable);
  }

  private Value input(int index) {
    return node().input(index);
  }

  private Node node() {
    if (entered == null) {
      throw new IllegalStateException("no node entered");
    }
    return entered;
  }

  private static Value[] with(Value[] inputs, Value last) {
    Value[] extended = Arrays.copyOf(inputs, inputs.length + 1);
    extended[inputs.length] = last;
    return extended;
  }
}
