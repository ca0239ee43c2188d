package dev.kindling.worker.shard;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.GlobalNorm;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToLongFunction;
import java.util.function.Predicate;

/**
 * How ranks agree on gradients and their norm. Replicated gradients are all-reduced in runs, in the
 * order of {@link GradientOrder}; the scalars (loss sum, token count, stop votes) ride with the
 * last run. Stage 1 scatters the sums of sharded matrices here, stages 2 and 3 did it in each
 * micro-step.
 */
public final class GradientExchange {
  /** Tables of less than a 16th of a bucket take no longer than two reductions more to start. */
  private static final long TABLE_SHARE = 16;

  private final Sharding sharding;

  GradientExchange(Sharding sharding) {
    this.sharding = sharding;
  }

  /**
   * Writes the collectives.
   *
   * @param sums of this rank: a gradient per parameter, then the scalars
   * @param together one all-reduce, whatever its size
   * @param fresh parameters whose gradients travel in half of their fp32 bytes
   * @return the same sums over all ranks; pieces for sharded parameters
   */
  public List<Value> reduce(
      GraphBuilder b,
      List<Param> params,
      List<Value> sums,
      boolean together,
      Predicate<Param> fresh) {
    IntToLongFunction bytes = i -> sums.get(i).type().bytes() / (fresh.test(params.get(i)) ? 2 : 1);
    GradientOrder order = order(b, params, sums, together, bytes);
    List<Value> reduced = new ArrayList<>(sums);
    List<Integer> run = new ArrayList<>();
    long filled = 0;
    for (List<Integer> part : List.of(order.early(), order.tables(), order.late())) {
      boolean cut = !part.isEmpty() && part != order.early();
      for (int i : part) {
        if (sharding.shards(params.get(i))) {
          boolean whole = sums.get(i).shape().equals(params.get(i).shape());
          if (!sharding.reducesMicroSteps() || whole) {
            reduced.set(i, b.add(sharding.scatter(), sums.get(i)).get(0));
          }
          continue;
        }
        boolean full = filled >= sharding.bucketBytes() && sharding.ranks() > 1 && !together;
        if (!run.isEmpty() && (full || cut)) {
          allReduce(b, run, reduced);
          run.clear();
          filled = 0;
        }
        cut = false;
        run.add(0, i);
        filled += bytes.applyAsLong(i);
      }
    }
    for (int scalar = params.size(); scalar < sums.size(); scalar++) {
      run.add(scalar);
    }
    allReduce(b, run, reduced);
    return reduced;
  }

  private GradientOrder order(
      GraphBuilder b,
      List<Param> params,
      List<Value> sums,
      boolean together,
      IntToLongFunction bytes) {
    return sharding.ranks() == 1 || together || sharding.reducesMicroSteps()
        ? GradientOrder.plain(params.size())
        : GradientOrder.hiding(
            b, sums.subList(0, params.size()), bytes, sharding.bucketBytes() / TABLE_SHARE);
  }

  private static void allReduce(GraphBuilder b, List<Integer> run, List<Value> values) {
    List<Value> outputs =
        b.add(new AllReduce(Axis.DATA), run.stream().map(values::get).toArray(Value[]::new));
    for (int i = 0; i < run.size(); i++) {
      values.set(run.get(i), outputs.get(i));
    }
  }

  /**
   * L2 norm of the mean gradient, equal bits on all ranks: each takes the norm of its pieces, and
   * all take the norm of those norms and of what is replicated.
   *
   * @param gradients what {@link #reduce} returned, without the scalars
   */
  public Value norm(GraphBuilder b, List<Param> params, List<Value> gradients, Value tokenCount) {
    List<Value> pieces = new ArrayList<>();
    List<Value> shared = new ArrayList<>();
    for (int i = 0; i < params.size(); i++) {
      (sharding.shards(params.get(i)) ? pieces : shared).add(gradients.get(i));
    }
    if (!pieces.isEmpty()) {
      Value own = b.add(new GlobalNorm(false), pieces.toArray(Value[]::new)).get(0);
      shared.add(b.add(new AllGather(Axis.DATA, sharding.ranks(), false), own).get(0));
    }
    shared.add(tokenCount);
    return b.add(new GlobalNorm(), shared.toArray(Value[]::new)).get(0);
  }
}
