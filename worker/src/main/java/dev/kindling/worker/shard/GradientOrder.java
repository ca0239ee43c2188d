package dev.kindling.worker.shard;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;

/**
 * In which order the gradients of parameters travel: last declared first, because backward finishes
 * them in that order. Last of all come the embedding tables, which have nothing left to hide
 * behind. So products that make gradients of the first layers wait until the tables are under way,
 * as many as hide them but no more than half of their bytes; what then travels alone is only what
 * those products made.
 *
 * <pre>
 *   dx1; dW1; dx0; dW0; dTable; reduce all       becomes
 *   dx1; dW1; reduce dW1; dx0; dTable; reduce dTable, meanwhile dW0; reduce dW0
 * </pre>
 *
 * @param early places of parameters in their list
 * @param tables gradients that no product makes
 * @param late gradients made behind the tables; empty where there are no tables
 */
record GradientOrder(List<Integer> early, List<Integer> tables, List<Integer> late) {
  /**
   * Operations that one byte of a table hides behind. An H100 computes some 600 TFLOP/s while two
   * of them reduce 200 GB/s, which is 3,000; the rest is for the start of both.
   */
  private static final long FLOPS_PER_BYTE = 4_000;

  GradientOrder {
    early = List.copyOf(early);
    tables = List.copyOf(tables);
    late = List.copyOf(late);
  }

  /** Last declared first, nothing waits. */
  static GradientOrder plain(int params) {
    List<Integer> order = new ArrayList<>();
    for (int i = params - 1; i >= 0; i--) {
      order.add(i);
    }
    return new GradientOrder(order, List.of(), List.of());
  }

  /**
   * @param gradients one per parameter, in the order of declaration
   * @param bytes of a gradient on the wire
   * @param smallest bytes of tables below which they travel with the rest
   */
  static GradientOrder hiding(
      GraphBuilder b, List<Value> gradients, IntToLongFunction bytes, long smallest) {
    Map<Integer, Node> products = products(b, gradients);
    List<Integer> tables = new ArrayList<>();
    int next = 0;
    while (next < gradients.size() && isMatrix(gradients, next) && !products.containsKey(next)) {
      tables.add(0, next++);
    }
    if (sum(tables, bytes) < smallest) {
      return plain(gradients.size());
    }
    List<Integer> late = late(products, bytes, sum(tables, bytes));
    List<Integer> early = new ArrayList<>(plain(gradients.size()).early());
    early.removeAll(tables);
    early.removeAll(late);
    return new GradientOrder(early, tables, late);
  }

  private static List<Integer> late(
      Map<Integer, Node> products, IntToLongFunction bytes, long tableBytes) {
    List<Integer> late = new ArrayList<>();
    long flops = tableBytes * FLOPS_PER_BYTE;
    // Products that read the same activation may be one for a device: they wait together or not.
    for (List<Integer> alike : byInput(products).values()) {
      boolean worth = sum(late, bytes) + sum(alike, bytes) <= tableBytes / 2;
      if (flops <= 0 || !worth) {
        break;
      }
      alike.forEach(place -> late.add(0, place));
      flops -= sum(alike, place -> Objects.requireNonNull(products.get(place)).flops());
    }
    return late;
  }

  private static long sum(List<Integer> places, IntToLongFunction amount) {
    return places.stream().mapToLong(amount::applyAsLong).sum();
  }

  private static boolean isMatrix(List<Value> gradients, int place) {
    return gradients.get(place).type().shape().rank() == 2;
  }

  /** By place, in the order of declaration. */
  private static Map<Integer, Node> products(GraphBuilder b, List<Value> gradients) {
    Map<Integer, Integer> places = new HashMap<>();
    for (int i = 0; i < gradients.size(); i++) {
      places.put(gradients.get(i).id(), i);
    }
    Map<Integer, Node> products = new TreeMap<>();
    for (Node node : b.nodes()) {
      Integer place = places.get(node.output(0).id());
      if (place != null && node.op() instanceof LinearWeightGradient) {
        products.put(place, node);
      }
    }
    return products;
  }

  private static Map<Integer, List<Integer>> byInput(Map<Integer, Node> products) {
    Map<Integer, List<Integer>> alike = new LinkedHashMap<>();
    products.forEach(
        (place, product) ->
            alike.computeIfAbsent(product.input(0).id(), id -> new ArrayList<>()).add(place));
    return alike;
  }
}
