package dev.kindling.kernels.autodiff;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.None;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.rewrite.LossInPlace;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Extends a graph by the gradients that its parameters demand. The pass, not each rule, skips every
 * node from which no demanded parameter can be reached; each operation writes its own sentence.
 * Gradients are added to GRADIENT variables, so running again accumulates; those of parameters that
 * the caller names are FRESH_GRADIENT variables, and it has to let the first sum become a write.
 */
public final class Autodiff {
  /** Name of the variable that sums the losses of all micro-steps. */
  public static final String LOSS_SUM = "loss_sum";

  /** Name of the variable that counts the tokens of all micro-steps. */
  public static final String TOKEN_COUNT = "token_count";

  private static final ValueType SCALAR = ValueType.f32(1);

  private Autodiff() {}

  /**
   * Gradients of lossSum, which a cross entropy or a sum with one must have written. Declares one
   * GRADIENT variable "grad/" + name per demanded parameter in declaration order, in the shape in
   * which the graph reads it (a piece where it is gathered), then the scalars loss_sum and
   * token_count.
   *
   * @return content of each gradient variable after accumulation, in declaration order
   */
  public static Map<Param, Value> gradients(GraphBuilder builder, Value lossSum) {
    return gradients(builder, lossSum, param -> false);
  }

  /**
   * As above.
   *
   * @param fresh parameters whose gradient no other backward pass adds to
   */
  public static Map<Param, Value> gradients(
      GraphBuilder builder, Value lossSum, Predicate<Param> fresh) {
    builder.fuse();
    builder.rewrite(new LossInPlace());
    List<Node> forward = builder.nodes();
    Node loss = lossNode(forward);
    Map<Param, Variable> variables = declare(builder, fresh);
    Value seed = sumUp(builder, lossSum, loss);
    return pullBack(builder, forward, Map.of(lossSum, seed), variables, seed);
  }

  /**
   * As above, but no gradient is a variable: each is a value of this graph alone, whose memory is
   * free behind its last reader. Nothing adds to it in a later run.
   *
   * @return complete gradients, in declaration order
   * @throws PlanException if columns of a parameter are demanded, or nothing reads a trained one
   */
  public static Map<Param, Value> passing(GraphBuilder builder, Value lossSum) {
    builder.fuse();
    builder.rewrite(new LossInPlace());
    List<Node> forward = builder.nodes();
    Value seed = sumUp(builder, lossSum, lossNode(forward));
    GradientTape tape = tape(builder, forward, Map.of(), seed);
    pullBack(builder, forward, Map.of(lossSum, seed), tape);
    Map<Integer, Param> read = new LinkedHashMap<>();
    for (Node node : forward) {
      for (Value input : node.inputs()) {
        Param param = builder.paramOf(input);
        if (param != null && !(param.demand() instanceof None)) {
          read.put(input.id(), param);
        }
      }
    }
    Map<Param, Value> found = new HashMap<>();
    read.forEach(
        (id, param) -> {
          Value gradient = tape.contribution(id);
          if (gradient != null) {
            found.put(param, gradient);
          }
        });
    return inOrder(builder, found);
  }

  private static Map<Param, Value> inOrder(GraphBuilder builder, Map<Param, Value> found) {
    Map<Param, Value> gradients = new LinkedHashMap<>();
    for (Param param : builder.params()) {
      if (param.demand() instanceof None) {
        continue;
      }
      Value gradient = found.get(param);
      if (gradient == null || param.demand() instanceof Columns) {
        throw new PlanException(
            param.name()
                + ": expected a whole gradient that does not outlive a run, found "
                + (gradient == null ? "none" : "demanded columns"));
      }
      gradients.put(param, gradient);
    }
    return gradients;
  }

  /** Adds loss and tokens to their variables; the gradient of the loss. */
  private static Value sumUp(GraphBuilder builder, Value lossSum, Node loss) {
    Value lossTotal = builder.variable(new Variable(LOSS_SUM, SCALAR, Role.GRADIENT));
    Value tokenTotal = builder.variable(new Variable(TOKEN_COUNT, SCALAR, Role.GRADIENT));
    builder.add(new Accumulate(), lossTotal, lossSum);
    builder.add(new Accumulate(), tokenTotal, loss.output(1));
    return builder.fresh(lossSum.type());
  }

  /**
   * Gradients of the sum over outputs of output * its given upstream gradient. Serves operations in
   * isolation: the loss scalars are not declared.
   */
  public static Map<Param, Value> gradients(GraphBuilder builder, Map<Value, Value> upstream) {
    builder.fuse();
    Value noSeed = builder.fresh(SCALAR);
    return pullBack(builder, builder.nodes(), upstream, declare(builder, param -> false), noSeed);
  }

  private static Map<Param, Value> pullBack(
      GraphBuilder builder,
      List<Node> forward,
      Map<Value, Value> upstream,
      Map<Param, Variable> variables,
      Value seed) {
    GradientTape tape = tape(builder, forward, variables, seed);
    pullBack(builder, forward, upstream, tape);
    Map<Param, Value> gradients = new LinkedHashMap<>();
    variables.forEach((param, variable) -> gradients.put(param, builder.variable(variable)));
    return gradients;
  }

  private static GradientTape tape(
      GraphBuilder builder, List<Node> forward, Map<Param, Variable> variables, Value seed) {
    Set<Integer> demanded = demanded(builder, forward);
    return new GradientTape(builder, variables, demanded, columns(forward, demanded), seed);
  }

  private static void pullBack(
      GraphBuilder builder, List<Node> forward, Map<Value, Value> upstream, GradientTape tape) {
    upstream.forEach(tape::begin);
    for (int i = forward.size() - 1; i >= 0; i--) {
      Node node = forward.get(i);
      if (tape.enter(node)) {
        node.op().gradient(builder, node, tape);
      }
    }
  }

  private static Map<Param, Variable> declare(GraphBuilder builder, Predicate<Param> fresh) {
    Map<Param, Shape> read = new HashMap<>();
    for (Node node : builder.nodes()) {
      for (Value input : node.inputs()) {
        Param param = builder.paramOf(input);
        if (param != null) {
          read.put(param, input.shape());
        }
      }
    }
    Map<Param, Variable> variables = new LinkedHashMap<>();
    for (Param param : builder.params()) {
      if (!(param.demand() instanceof None)) {
        Shape whole = read.getOrDefault(param, param.shape());
        ValueType type = new ValueType(gradientShape(builder, param, whole), param.type().dtype());
        Role role = fresh.test(param) ? Role.FRESH_GRADIENT : Role.GRADIENT;
        Variable variable = new Variable("grad/" + param.name(), type, role);
        builder.variable(variable);
        variables.put(param, variable);
      }
    }
    return variables;
  }

  /**
   * Columns are input features of a linear weight, so the layout of its reader decides the shape.
   */
  private static Shape gradientShape(GraphBuilder builder, Param param, Shape read) {
    if (!(param.demand() instanceof Columns columns)) {
      return read;
    }
    Shape shape = null;
    for (Node node : builder.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        if (!param.equals(builder.paramOf(node.input(i)))) {
          continue;
        }
        if (i != 1 || !(node.op() instanceof Linear linear)) {
          throw new PlanException(
              param.name()
                  + ": columns are demanded, but "
                  + node
                  + " is no linear product with it");
        }
        shape = linear.layout().columns(param.shape(), columns);
      }
    }
    if (shape == null) {
      throw new PlanException(param.name() + ": columns are demanded, but nothing reads it");
    }
    return shape;
  }

  /** Which columns are trained of matrices that nobody trains otherwise, by id. */
  private static Map<Integer, Demand> columns(List<Node> forward, Set<Integer> demanded) {
    Map<Integer, Demand> columns = new HashMap<>();
    for (Node node : forward) {
      if (node.op() instanceof ScatterColumns scatter && !demanded.contains(node.input(2).id())) {
        columns.put(node.output(0).id(), scatter.columns());
      }
    }
    return columns;
  }

  /** Ids of values from which a demanded parameter can be reached. */
  private static Set<Integer> demanded(GraphBuilder builder, List<Node> forward) {
    Set<Integer> demanded = new HashSet<>();
    for (Node node : forward) {
      boolean reaches = false;
      for (Value input : node.inputs()) {
        Param param = builder.paramOf(input);
        Demand demand = param == null ? Demand.none() : param.demand();
        if (!(demand instanceof None)) {
          demanded.add(input.id());
        }
        reaches |= demanded.contains(input.id());
      }
      if (reaches && !node.op().detached()) {
        node.outputs().forEach(output -> demanded.add(output.id()));
      }
    }
    return demanded;
  }

  private static Node lossNode(List<Node> forward) {
    List<Node> losses =
        forward.stream().filter(node -> node.op() instanceof CrossEntropyWithGradient).toList();
    if (losses.size() != 1) {
      throw new PlanException("expected one cross entropy in the graph, found " + losses.size());
    }
    return losses.get(0);
  }
}
