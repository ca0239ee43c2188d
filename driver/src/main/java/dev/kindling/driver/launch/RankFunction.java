package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.GpuDiscovery;
import dev.kindling.driver.plugin.RankLink;
import dev.kindling.kernels.backend.BusyDeviceException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.worker.event.LogBuffer;
import dev.kindling.worker.event.LogScope;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.RankFailure;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.RingConnector;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.BarrierTaskInfo;
import org.apache.spark.SparkEnv;
import org.apache.spark.resource.ResourceInformation;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/**
 * The task of one rank, one iterator element = its result. Partition ids count the tasks of one
 * Spark job; ranks count the world, which may span several jobs: a job holds the ranks from {@code
 * firstRank} on, in the order of its partitions.
 */
final class RankFunction extends AbstractFunction1<Iterator<Integer>, Iterator<WorkerResult>>
    implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final String DRIVER = "driver";
  private static final Logger LOG = LoggerFactory.getLogger(RankFunction.class);

  private final String run;
  private final int firstRank;
  private final int worldSize;
  private final WorkerAssignment assignment;
  private final RankBody body;
  private final ProcessEnd process;

  /**
   * @param run key of the launch at the driver's control point
   * @param firstRank rank of the job's partition 0
   * @param worldSize ranks of all jobs together
   * @param process ends if the rank leaves its GPU busy
   */
  RankFunction(
      String run,
      int firstRank,
      int worldSize,
      WorkerAssignment assignment,
      RankBody body,
      ProcessEnd process) {
    if (firstRank < 0 || firstRank >= worldSize) {
      throw new IllegalArgumentException(
          "first rank: expected 0.." + (worldSize - 1) + ", found " + firstRank);
    }
    this.run = run;
    this.firstRank = firstRank;
    this.worldSize = worldSize;
    this.assignment = assignment;
    this.body = body;
    this.process = process;
  }

  @Override
  public Iterator<WorkerResult> apply(Iterator<Integer> ignored) {
    BarrierTaskContext spark = BarrierTaskContext.get();
    int partition = spark.partitionId();
    int rank = firstRank + partition;
    Throwable failure = null;
    try (RankLink link = RankLink.open(run, rank)) {
      scope(link.log());
      WorkerResult result = null;
      try {
        List<String> hosts = hosts(spark);
        RankContext context =
            new RankContext(
                new BarrierRendezvous(spark, firstRank, worldSize),
                new RingConnector(),
                link,
                link,
                (int) hosts.stream().filter(hosts.get(partition)::equals).count(),
                OptionalInt.of(gpu(spark, hosts)));
        result = body.run(at(hosts.get(partition)), context);
      } catch (Throwable e) {
        failure = e;
      }
      try {
        end(link, rank, failure);
      } finally {
        if (failure != null && BusyDeviceException.in(failure)) {
          // The next attempt may land in this process, and would find the GPU as it is.
          LOG.error("rank {}: its GPU is still busy, its process ends", rank);
          process.end(FailureKind.DEVICE.exitCode());
        }
      }
      if (result != null) {
        return CollectionConverters.asScala(List.of(result).iterator());
      }
    } catch (Exception e) {
      failure = failure == null ? e : failure;
    }
    throw new IllegalStateException("rank " + rank + " failed", failure);
  }

  /** An executor has one rank; in local mode ranks are threads of the driver. */
  private static void scope(LogBuffer log) {
    if (SparkEnv.get().executorId().equals(DRIVER)) {
      LogScope.ofThread(log);
    } else {
      LogScope.ofProcess(log);
    }
  }

  /**
   * Ordinal of the GPU that Spark gave to this task, else one that no other task of its host takes.
   *
   * @throws DeviceException if its address is none, as with a discovery script that prints names
   */
  private static int gpu(BarrierTaskContext spark, List<String> hosts) {
    ResourceInformation gpus = spark.resourcesJMap().get(GpuSettings.GPU);
    return gpus == null ? place(hosts, spark.partitionId()) : ordinal(gpus.addresses());
  }

  /** How many earlier partitions share the host: Spark places partitions in any order. */
  static int place(List<String> hosts, int partition) {
    return (int) hosts.subList(0, partition).stream().filter(hosts.get(partition)::equals).count();
  }

  static int ordinal(String[] addresses) {
    try {
      return Integer.parseInt(addresses[0]);
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException odd) {
      throw new DeviceException(
          "cuda: expected GPU ordinals as Spark's addresses, found "
              + Arrays.toString(addresses)
              + "; spark.resources.discoveryPlugin="
              + GpuDiscovery.class.getName()
              + " gives them",
          odd);
    }
  }

  /** Host of each partition of this job: the one whose block manager Spark already reaches. */
  private static List<String> hosts(BarrierTaskContext spark) {
    return Arrays.stream(spark.getTaskInfos())
        .map(BarrierTaskInfo::address)
        .map(address -> address.substring(0, address.lastIndexOf(':')))
        .toList();
  }

  /** Our sockets bind where Spark's do, unless the assignment names an interface. */
  private WorkerAssignment at(String host) {
    if (!assignment.bindAddress().isEmpty()) {
      return assignment;
    }
    return new WorkerAssignment(
        assignment.configYaml(),
        assignment.runDir(),
        assignment.dataDir(),
        assignment.attempt(),
        assignment.epoch(),
        host,
        assignment.secret());
  }

  private static void end(RankLink link, int rank, @Nullable Throwable failure) throws Exception {
    if (failure == null) {
      link.end("", "", "");
    } else {
      LOG.error("rank {} failed", rank, failure);
      RankFailure told = RankFailure.of(rank, failure);
      link.end(told.kind().name(), told.message(), told.trace());
    }
  }
}
