package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Adds scattered gradients up some reduce-scatters later, so that backward does not wait for a
 * communication lane after every weight.
 *
 * <pre>
 *   p1 = ReduceScatter dW1; sum1 += p1        p1 = ReduceScatter dW1
 *   dW2 = ...                           1     dW2 = ...
 *   p2 = ReduceScatter dW2; sum2 += p2  -->   sum1 += p1; p2 = ReduceScatter dW2
 * </pre>
 *
 * The last ones stand at the end. Costs the memory of {@code behind} more gradients on their way.
 * Belongs behind backward and before anything that reads the sums.
 *
 * @param behind reduce-scatters that may be under way, at least 1
 */
public record AccumulateLate(int behind) implements Rewrite {
  public AccumulateLate {
    if (behind < 1) {
      throw new PlanException("reduce-scatters under way: expected at least 1, found " + behind);
    }
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Map<Integer, Integer> scattered = new HashMap<>();
    List<Node> scatters = new ArrayList<>();
    Map<Integer, List<Node>> sums = new HashMap<>();
    Set<Integer> moved = new HashSet<>();
    for (Node node : nodes) {
      if (node.op() instanceof ReduceScatter) {
        scattered.put(node.output(0).id(), scatters.size());
        scatters.add(node);
      }
      Integer turn = node.op() instanceof Accumulate ? scattered.get(node.input(1).id()) : null;
      if (turn != null) {
        sums.computeIfAbsent(turn + behind, place -> new ArrayList<>()).add(node);
        moved.add(node.index());
      }
    }
    List<Node> result = new ArrayList<>();
    int place = 0;
    for (Node node : nodes) {
      if (node.op() instanceof ReduceScatter) {
        result.addAll(sums.getOrDefault(place++, List.of()));
      }
      if (!moved.contains(node.index())) {
        result.add(node);
      }
    }
    for (int late = scatters.size(); late < scatters.size() + behind; late++) {
      result.addAll(sums.getOrDefault(late, List.of()));
    }
    return result;
  }
}
