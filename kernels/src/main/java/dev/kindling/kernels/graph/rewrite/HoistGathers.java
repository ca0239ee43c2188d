package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AllGather;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Takes gathers out of a program whose rank keeps what they would gather. Their transposes, which
 * reverse mode wrote, stay.
 *
 * <pre>
 *   y = AllGather piece                    (gathered once, behind the update)
 *   ... Linear x, y ...          becomes   ... Linear x, kept ...
 *   dpiece = ReduceScatter dy              dpiece = ReduceScatter dy
 * </pre>
 *
 * @param kept by id of a gather's output, the value to read in its place
 */
public record HoistGathers(Map<Integer, Value> kept) implements Rewrite {
  public HoistGathers {
    kept = Map.copyOf(kept);
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      boolean gathers = node.op() instanceof AllGather && kept.containsKey(node.output(0).id());
      if (!gathers) {
        List<Value> inputs =
            node.inputs().stream().map(input -> kept.getOrDefault(input.id(), input)).toList();
        result.add(new Node(node.index(), node.op(), inputs, node.outputs()));
      }
    }
    return result;
  }
}
