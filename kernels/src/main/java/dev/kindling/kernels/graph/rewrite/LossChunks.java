package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SliceRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Writes the chunks of {@link ChunkLoss}. The last sums and the joined rows are the old values. */
final class LossChunks {
  private final ChunkLoss.Head head;
  private final int rows;
  private final Function<ValueType, Value> fresh;
  private final List<Node> nodes = new ArrayList<>();
  private final List<Value> gradients = new ArrayList<>();
  private @Nullable Value lossSum;
  private @Nullable Value count;
  private @Nullable Value dWeight;

  LossChunks(ChunkLoss.Head head, int rows, Function<ValueType, Value> fresh) {
    this.head = head;
    this.rows = rows;
    this.fresh = fresh;
  }

  List<Node> nodes() {
    int tokens = head.logits().shape().dim(0);
    for (int from = 0; from < tokens; from += rows) {
      chunk(new SliceRows(from, Math.min(rows, tokens - from)), from + rows >= tokens);
    }
    if (head.dInput() != null) {
      Value joined = head.dInput().output(0);
      nodes.add(new Node(0, new ConcatRows(), gradients, List.of(joined)));
    }
    return nodes;
  }

  private void chunk(SliceRows slice, boolean last) {
    Value x = add(slice, head.x()).get(0);
    Value logits = add(head.linear().op(), x, head.linear().input(1)).get(0);
    Value targets = add(slice, head.loss().input(1)).get(0);
    List<Value> loss = add(head.loss().op(), logits, targets);
    lossSum = sum(lossSum, loss.get(0), last ? head.loss().output(0) : null);
    count = sum(count, loss.get(1), last ? head.loss().output(1) : null);
    if (head.dWeight() != null) {
      weightGradient(head.dWeight(), x, loss.get(2), last);
    }
    if (head.dInput() != null) {
      LinearInputGradient op = (LinearInputGradient) head.dInput().op();
      gradients.add(add(op, loss.get(2), head.linear().input(1)).get(0));
    }
  }

  private Value sum(@Nullable Value soFar, Value own, @Nullable Value result) {
    if (soFar == null) {
      return own;
    }
    if (result == null) {
      return add(new Add(), soFar, own).get(0);
    }
    nodes.add(new Node(0, new Add(), List.of(soFar, own), List.of(result)));
    return result;
  }

  private void weightGradient(Node whole, Value x, Value dLogits, boolean last) {
    LinearWeightGradient op = (LinearWeightGradient) whole.op();
    List<Value> inputs = new ArrayList<>(List.of(x, dLogits));
    if (dWeight != null) {
      inputs.add(dWeight);
    } else if (op.accumulate()) {
      inputs.add(whole.input(2));
    }
    Value result = last ? whole.output(0) : fresh.apply(whole.output(0).type());
    Op own = new LinearWeightGradient(op.layout(), inputs.size() == 3);
    nodes.add(new Node(0, own, inputs, List.of(result)));
    dWeight = result;
  }

  private List<Value> add(Op op, Value... inputs) {
    List<ValueType> types = Arrays.stream(inputs).map(Value::type).toList();
    List<Value> outputs = op.infer(types).stream().map(fresh).toList();
    nodes.add(new Node(0, op, List.of(inputs), outputs));
    return outputs;
  }
}
