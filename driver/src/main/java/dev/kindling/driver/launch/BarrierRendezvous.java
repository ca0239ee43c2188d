package dev.kindling.driver.launch;

import dev.kindling.comm.rendezvous.Rendezvous;
import java.util.List;
import org.apache.spark.BarrierTaskContext;

/**
 * Ranks meet through Spark's barrier coordinator. A call costs one second whatever the size: the
 * task side sleeps in steps of 1 s.
 */
record BarrierRendezvous(BarrierTaskContext context, int worldSize) implements Rendezvous {
  @Override
  public int rank() {
    return context.partitionId();
  }

  @Override
  public List<String> allGather(String message) {
    return List.of(context.allGather(message));
  }
}
