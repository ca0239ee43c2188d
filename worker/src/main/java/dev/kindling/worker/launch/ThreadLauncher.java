package dev.kindling.worker.launch;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.comm.loopback.ThreadRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogBuffer;
import dev.kindling.worker.event.LogPump;
import dev.kindling.worker.event.LogScope;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All ranks as threads of this JVM: the fastest start, no isolation. */
public final class ThreadLauncher implements Launcher {
  private static final Logger LOG = LoggerFactory.getLogger(ThreadLauncher.class);
  private static final Duration MEETING = Duration.ofMinutes(1);

  @Override
  public List<WorkerResult> run(
      WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
      throws InterruptedException {
    List<Rendezvous> rendezvous = ThreadRendezvous.create(ranks, MEETING);
    List<Communicator> world = LoopbackCommunicator.create(ranks);
    List<Communicator> second = LoopbackCommunicator.create(ranks);
    List<Communicator> third = LoopbackCommunicator.create(ranks);
    AtomicReferenceArray<WorkerResult> results = new AtomicReferenceArray<>(ranks);
    AtomicReferenceArray<RankFailure> failures = new AtomicReferenceArray<>(ranks);
    List<Thread> threads = new ArrayList<>();
    List<LogBuffer> logs = IntStream.range(0, ranks).mapToObj(LogBuffer::new).toList();
    for (int index = 0; index < ranks; index++) {
      int rank = index;
      ThreadConnector connector =
          new ThreadConnector(world.get(rank), second.get(rank), third.get(rank));
      RankContext context = new RankContext(rendezvous.get(rank), connector, events, stop, ranks);
      Runnable body =
          () -> {
            LogScope.ofThread(logs.get(rank));
            try {
              results.set(rank, WorkerTask.run(assignment, context));
            } catch (RuntimeException | Error failure) {
              LOG.info("rank {} failed", rank, failure);
              failures.set(rank, RankFailure.of(rank, failure));
              // A rank that failed before it connected would leave the others waiting for it.
              connector.abort();
            }
          };
      threads.add(new Thread(body, "rank-" + rank));
    }
    LogPump pump = new LogPump(logs, events);
    try {
      threads.forEach(Thread::start);
      join(threads, world);
    } finally {
      pump.finish();
    }
    return outcome(results, failures, ranks);
  }

  private static void join(List<Thread> threads, List<Communicator> world)
      throws InterruptedException {
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException interrupted) {
      world.forEach(Communicator::close);
      for (Thread thread : threads) {
        thread.interrupt();
        thread.join();
      }
      throw interrupted;
    }
  }

  private static List<WorkerResult> outcome(
      AtomicReferenceArray<WorkerResult> results,
      AtomicReferenceArray<RankFailure> failures,
      int ranks) {
    List<RankFailure> failed = new ArrayList<>();
    List<WorkerResult> done = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      RankFailure failure = failures.get(rank);
      if (failure != null) {
        failed.add(failure);
      } else {
        done.add(results.get(rank));
      }
    }
    RankFailure.mostTelling(failed)
        .ifPresent(
            failure -> {
              throw failure.toException();
            });
    return List.copyOf(done);
  }

  @Override
  public void close() {}
}
