package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AllGather;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Starts gathers in batches, each before the first use of the batch before it: a communication lane
 * then gathers the next layer while products read this one, and the gathers of a batch, which stand
 * side by side, can be one call.
 *
 * <pre>
 *   g1; use g1; g2; use g2; g3; use g3; g4; use g4
 *   becomes, in batches of 2:  g1; g2; g3; g4; use g1; use g2; use g3; use g4
 * </pre>
 *
 * Costs the memory of two batches. Moves gathers of contents of variables only; their order is that
 * of their first uses.
 *
 * @param batch gathers of a batch: as many as a layer has, at least 1
 */
public record GathersAhead(int batch) implements Rewrite {
  public GathersAhead {
    if (batch < 1) {
      throw new PlanException("gathers of a batch: expected at least 1, found " + batch);
    }
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Readers readers = new Readers(nodes);
    Map<Integer, List<Node>> uses = GatherAgain.readersOfGathers(nodes);
    Map<Integer, Integer> firstUse = new HashMap<>();
    List<Node> gathers = new ArrayList<>();
    for (Node node : nodes) {
      List<Node> reading = uses.getOrDefault(node.outputs().get(0).id(), List.of());
      boolean moves = node.op() instanceof AllGather && readers.isVariable(node.input(0));
      if (moves && !reading.isEmpty()) {
        gathers.add(node);
        firstUse.put(node.index(), reading.get(0).index());
      }
    }
    gathers.sort(Comparator.comparing((Node gather) -> firstUse.get(gather.index())));
    Map<Integer, List<Node>> before = new HashMap<>();
    for (int i = 0; i < gathers.size(); i++) {
      Node earlier = gathers.get(Math.max(0, i / batch - 1) * batch);
      before
          .computeIfAbsent(firstUse.get(earlier.index()), index -> new ArrayList<>())
          .add(gathers.get(i));
    }
    Set<Integer> moved = gathers.stream().map(Node::index).collect(Collectors.toSet());
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      result.addAll(before.getOrDefault(node.index(), List.of()));
      if (!moved.contains(node.index())) {
        result.add(node);
      }
    }
    return result;
  }
}
