package dev.kindling.worker.shard;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Placement;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.AccumulateLate;
import dev.kindling.kernels.graph.rewrite.GatherAgain;
import dev.kindling.kernels.graph.rewrite.GathersAhead;
import dev.kindling.kernels.graph.rewrite.HoistGathers;
import java.util.HashMap;
import java.util.Map;

/**
 * Where the parameters of one graph lie. Stages 2 and 3 write a gather before every use, so that
 * reverse mode writes its transpose, the reduce-scatter, behind every gradient; {@link #settle}
 * then takes the gathers out again (2) or moves and repeats them (3), and lets sums of scattered
 * gradients wait while the next ones are computed. For one graph, one thread.
 */
public final class ParameterPlaces implements Placement {
  private final Sharding sharding;

  /** By id of a gather's output, the working copy to read instead. */
  private final Map<Integer, Value> kept = new HashMap<>();

  private int gathers;

  ParameterPlaces(Sharding sharding) {
    this.sharding = sharding;
  }

  @Override
  public Variable master(Param param) {
    return sharding.master(param);
  }

  @Override
  public Value read(GraphBuilder builder, Param param) {
    if (!sharding.shards(param)) {
      return builder.master(param);
    }
    if (!sharding.reducesMicroSteps()) {
      return builder.variable(sharding.working(param));
    }
    Value whole = builder.add(sharding.gather(param, false), builder.master(param)).get(0);
    gathers++;
    if (sharding.keepsWorking()) {
      kept.put(whole.id(), builder.variable(sharding.working(param)));
    }
    return whole;
  }

  /**
   * The passes behind forward and backward.
   *
   * @param layers of the model: gathers are written one layer ahead, sums one layer behind
   * @return whether there was anything to settle
   */
  public boolean settle(GraphBuilder builder, int layers) {
    if (gathers == 0) {
      return false;
    }
    int ofLayer = Math.max(1, gathers / layers);
    if (sharding.keepsWorking()) {
      builder.rewrite(new HoistGathers(kept));
    } else {
      builder.rewrite(new GatherAgain());
      builder.rewrite(new GathersAhead(ofLayer));
    }
    builder.rewrite(new AccumulateLate(ofLayer));
    return true;
  }

  /** The whole parameter as its last update left it, after {@link #spread}. */
  public Value updated(GraphBuilder builder, Param param) {
    return sharding.keepsWorking() && sharding.shards(param)
        ? builder.variable(sharding.working(param))
        : builder.param(param);
  }

  /** Brings the working copy, if there is one, up to date with the masters of all ranks. */
  public void spread(GraphBuilder builder, Param param) {
    if (sharding.keepsWorking() && sharding.shards(param)) {
      Value working = builder.variable(sharding.working(param));
      builder.add(sharding.gather(param, true), builder.master(param), working);
    }
  }
}
