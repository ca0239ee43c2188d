package dev.kindling.worker.step;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.graph.Role;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.rule.Optimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Replicas of a tiny model as threads, each fed with sequences of its own. */
final class ReplicaRuns {
  static final double LR = 0.5;

  private ReplicaRuns() {}

  /**
   * What one replica saw.
   *
   * @param starts weights after each boundary, the drained ones last
   * @param reductions of the flight
   * @param bytes that the flight sent
   * @param payloadBytes of one reduction
   */
  record Seen(
      List<float[]> starts,
      List<Arrival> arrivals,
      int reductions,
      long bytes,
      long payloadBytes) {}

  /** What happens right behind a boundary, while the next flight is on its way. */
  interface Disturbance {
    void behind(StepRank rank, Boundary boundary);
  }

  static final Disturbance NONE = (rank, boundary) -> {};

  /** Sequences of a replica in a step. */
  static int first(int step, int replica, int replicas) {
    return 2 * (step * replicas + replica);
  }

  static List<Seen> run(
      OuterMethod method, Optimizer rule, int replicas, int rounds, int delayMillis, Disturbance by)
      throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(replicas);
    List<Callable<Seen>> tasks = new ArrayList<>();
    for (int replica = 0; replica < replicas; replica++) {
      LateCommunicator own =
          new LateCommunicator(world.get(replica), StepRank.SEED + rounds, delayMillis);
      tasks.add(
          () -> {
            try {
              return one(method, rule, own, rounds, by);
            } catch (RuntimeException | Error failure) {
              own.close();
              throw failure;
            }
          });
    }
    return together(tasks);
  }

  static <T> List<T> together(List<Callable<T>> tasks) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
    try {
      List<T> found = new ArrayList<>();
      for (Future<T> each : threads.invokeAll(tasks)) {
        found.add(each.get());
      }
      return found;
    } catch (ExecutionException failed) {
      throw new IllegalStateException("seed " + StepRank.SEED, failed.getCause());
    } finally {
      threads.shutdownNow();
    }
  }

  private static Seen one(
      OuterMethod method, Optimizer rule, LateCommunicator world, int rounds, Disturbance by) {
    int replicas = world.worldSize();
    StepGraphs graphs = StepRank.graphs(16, rule, 2, 1).with(method.step());
    Backend backend = StepRank.cpu();
    Communicator alone = LoopbackCommunicator.create(1).get(0);
    try (StepRank rank = new StepRank(graphs, alone, backend)) {
      rank.program().dryRun();
      rank.fill();
      Flight flight = backend.flight(rank.program().memory(), Role.PAYLOAD, world);
      Boundary boundary = new Boundary(rank.program(), flight, method, replicas);
      boundary.begin();
      List<float[]> starts = new ArrayList<>();
      List<Arrival> arrivals = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        float[] told = new float[3];
        for (int step = round * method.tau(); step < (round + 1) * method.tau(); step++) {
          StepOutcome outcome = rank.step(first(step, world.rank(), replicas), 2);
          told[0] += outcome.lossSum();
          told[1] += outcome.tokenCount();
          if (step == round * method.tau()) {
            boundary.firstStep();
          }
        }
        arrivals.add(boundary.cross(told, LR, method.tau()));
        by.behind(rank, boundary);
        starts.add(rank.weights());
      }
      boundary.finish(LR, method.tau());
      starts.add(rank.weights());
      long payload = rank.program().memory().arena(Role.PAYLOAD).bytes();
      world.close();
      flight.close();
      return new Seen(starts, arrivals, world.allReduces(), flight.bytesSent(), payload);
    }
  }
}
