package dev.kindling.driver.launch;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import java.util.List;
import org.apache.spark.BarrierTaskContext;

/**
 * Ranks of one Spark job meet through its barrier coordinator. A call costs one second whatever the
 * size: the task side sleeps in steps of 1 s.
 *
 * @param firstRank rank of the job's partition 0
 * @param worldSize ranks of all jobs together
 */
record BarrierRendezvous(BarrierTaskContext context, int firstRank, int worldSize)
    implements Rendezvous {
  @Override
  public int rank() {
    return firstRank + context.partitionId();
  }

  /**
   * {@inheritDoc}
   *
   * @throws CollectiveException if the world is larger than the job, whose barrier reaches no other
   */
  @Override
  public List<String> allGather(String message) {
    List<String> messages = List.of(context.allGather(message));
    if (messages.size() != worldSize) {
      throw new CollectiveException(
          "rank %d: the barrier of its Spark job reaches ranks %d..%d, expected all %d of the world"
              .formatted(rank(), firstRank, firstRank + messages.size() - 1, worldSize));
    }
    return messages;
  }
}
