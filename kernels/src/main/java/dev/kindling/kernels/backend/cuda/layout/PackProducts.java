package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Linear products of one x whose weights lie side by side become one product.
 *
 * <pre>
 *   y1 = x W1', y2 = x W2'           [y1 y2] = x [W1; W2]'
 *   dW1 += dy1' x, dW2 += dy2' x     [dW1; dW2] += [dy1 dy2]' x
 *   dx = dy1 W1, dx += dy2 W2        dx = [dy1 dy2] [W1; W2]
 * </pre>
 *
 * Fires for weights [N, K] only. Does not fire when a kernel that writes or reads a piece needs
 * dense rows, or a piece is placed elsewhere already.
 */
final class PackProducts {
  private final Graph graph;
  private final Storage storage;
  private final Adjacency arena;
  private final List<Group> candidates;

  private PackProducts(Graph graph, Storage storage, List<Group> candidates) {
    this.graph = graph;
    this.storage = storage;
    this.arena = new Adjacency(graph);
    this.candidates = candidates;
  }

  static void apply(Graph graph, Storage storage, List<Group> candidates) {
    PackProducts rule = new PackProducts(graph, storage, candidates);
    rule.forward();
    rule.weightGradients();
    rule.inputGradients();
  }

  private void forward() {
    Map<List<Object>, List<Node>> ofOneInput = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Linear linear
          && linear.layout() == WeightLayout.OUT_IN
          && parameter(node.input(1)) != null) {
        add(ofOneInput, List.of(node.input(0), linear), node);
      }
    }
    packRuns(
        ofOneInput.values(),
        node -> parameter(node.input(1)),
        node -> node.output(0),
        Group.Kind.LINEAR);
  }

  private void weightGradients() {
    Map<List<Object>, List<Node>> ofOneInput = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      if (node.op() instanceof LinearWeightGradient gradient
          && gradient.layout() == WeightLayout.OUT_IN
          && gradient.inPlace()
          && gradientOf(node) != null) {
        add(ofOneInput, List.of(node.input(0), gradient), node);
      }
    }
    packRuns(
        ofOneInput.values(),
        this::gradientOf,
        node -> node.input(1),
        Group.Kind.LINEAR_WEIGHT_GRADIENT);
  }

  private static void add(Map<List<Object>, List<Node>> lists, List<Object> key, Node node) {
    lists.computeIfAbsent(key, unused -> new ArrayList<>()).add(node);
  }

  /** Each longest run of neighbours becomes a group if its pieces can lie side by side. */
  private void packRuns(
      Collection<List<Node>> lists,
      Function<Node, @Nullable Variable> variable,
      Function<Node, Value> piece,
      Group.Kind kind) {
    for (List<Node> list : lists) {
      List<Node> sorted = inArenaOrder(list, variable);
      int first = 0;
      while (first < sorted.size()) {
        int end = first + 1;
        while (end < sorted.size() && neighbours(sorted.get(end - 1), sorted.get(end), variable)) {
          end++;
        }
        List<Node> run = sorted.subList(first, end);
        if (run.size() > 1 && together(run, piece)) {
          candidates.add(new Group(kind, run));
        }
        first = end;
      }
    }
  }

  private boolean neighbours(Node left, Node right, Function<Node, @Nullable Variable> variable) {
    boolean biases =
        !(left.op() instanceof Linear linear && linear.bias())
            || arena.adjacent(parameter(left.input(2)), parameter(right.input(2)));
    return biases && arena.adjacent(variable.apply(left), variable.apply(right));
  }

  private void inputGradients() {
    List<Node> seen = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (sums(node) && !seen.contains(node)) {
        List<Node> chain = new ArrayList<>();
        for (Node next = node; next != null; next = follower(next)) {
          chain.add(next);
        }
        seen.addAll(chain);
        packChain(chain);
      }
    }
  }

  /** The longest stretches of the chain over neighbouring weights, from its start. */
  private void packChain(List<Node> chain) {
    int first = 0;
    while (first < chain.size()) {
      int end = chain.size();
      while (end > first + 1 && !packStretch(chain.subList(first, end))) {
        end--;
      }
      first = end;
    }
  }

  private boolean packStretch(List<Node> stretch) {
    List<Node> sorted = inArenaOrder(stretch, node -> parameter(node.input(1)));
    List<@Nullable Variable> weights = new ArrayList<>();
    sorted.forEach(node -> weights.add(parameter(node.input(1))));
    if (!arena.adjacent(weights) || !together(sorted, node -> node.input(0))) {
      return false;
    }
    candidates.add(new Group(Group.Kind.LINEAR_INPUT_GRADIENT, stretch));
    return true;
  }

  private boolean sums(Node node) {
    return node.op() instanceof LinearInputGradient gradient
        && gradient.layout() == WeightLayout.OUT_IN
        && parameter(node.input(1)) != null;
  }

  private @Nullable Node follower(Node node) {
    List<Storage.Reading> readings = storage.readings(node.output(0));
    if (readings.size() != 1 || readings.get(0).input() != 2) {
      return null;
    }
    Node next = readings.get(0).node();
    return sums(next) ? next : null;
  }

  private boolean together(List<Node> nodes, Function<Node, Value> piece) {
    List<Value> pieces = nodes.stream().map(piece).toList();
    if (storage.areTogether(pieces)) {
      return true;
    }
    if (!storage.mayBeRanges(pieces, null)) {
      return false;
    }
    storage.placeTogether(pieces);
    return true;
  }

  private List<Node> inArenaOrder(List<Node> nodes, Function<Node, @Nullable Variable> variable) {
    return nodes.stream()
        .sorted(
            Comparator.comparingInt(
                node -> arena.place(java.util.Objects.requireNonNull(variable.apply(node)))))
        .toList();
  }

  private @Nullable Variable parameter(Value value) {
    Variable master = Adjacency.content(graph, value, Role.PARAMETER);
    return master != null ? master : Adjacency.content(graph, value, Role.WORKING);
  }

  private @Nullable Variable gradientOf(Node node) {
    Variable sum = Adjacency.content(graph, node.input(2), Role.GRADIENT);
    return sum != null ? sum : Adjacency.content(graph, node.input(2), Role.FRESH_GRADIENT);
  }
}
