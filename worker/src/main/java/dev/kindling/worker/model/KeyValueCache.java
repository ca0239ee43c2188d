package dev.kindling.worker.model;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.WriteRows;
import org.jspecify.annotations.Nullable;

/**
 * Keys and values of the tokens so far, of several sequences. Two kinds of graph share its
 * variables: one that reads a whole sequence and leaves its keys and values here (no {@code
 * lengths}), and one that reads the newest token of each sequence and attends to what is here.
 *
 * @param sequences how many have room
 * @param length rows of each: its longest text in tokens
 * @param places row of each token of the graph, I32 [T], sequence s from s * length on; {@link
 *     dev.kindling.kernels.graph.op.CrossEntropy#IGNORED} is not kept
 * @param lengths rows of each sequence that its newest token sees, itself included, I32
 *     [sequences]. Null: attention spans the tokens of the graph
 */
public record KeyValueCache(int sequences, int length, Value places, @Nullable Value lengths) {

  /**
   * @param q [T, H * C], k and v [T, K * C], positions already in them
   * @param block name of the attention block whose keys and values these are
   * @return [T, H * C]
   */
  Value attend(GraphBuilder b, String block, Value q, Value k, Value v, AttentionShape shape) {
    Value keys = keep(b, block + ".keys", k);
    Value values = keep(b, block + ".values", v);
    return lengths == null
        ? b.attention(q, k, v, null, shape)
        : b.add(new CachedAttention(shape), q, keys, values, lengths).get(0);
  }

  private Value keep(GraphBuilder b, String name, Value x) {
    ValueType type = ValueType.f32(sequences * length, x.shape().dim(1));
    Value cache = b.variable(new Variable("cache/" + name, type, Role.STATE));
    return b.add(new WriteRows(), x, cache, places).get(0);
  }
}
