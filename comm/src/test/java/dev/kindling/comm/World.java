package dev.kindling.comm;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.comm.loopback.ThreadRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.ReductionOrder;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.comm.ring.Tuning;
import dev.kindling.kernels.backend.Communicator;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The implementations that must conform, each opened as N ranks on threads of this JVM. */
public enum World {
  LOOPBACK,
  RING,
  RING_SMALL_BUFFERS,
  RING_TREE,
  SOCKET,
  SOCKET_SMALL_BUFFERS,
  SOCKET_TREE;

  static final Duration OPEN = Duration.ofSeconds(30);
  static final Duration PATIENT = Duration.ofSeconds(60);
  static final JobSecret SECRET =
      JobSecret.of("conformance-suite-secret".getBytes(StandardCharsets.UTF_8));

  /** What one rank does. */
  public interface Body {
    void run(Communicator communicator) throws Exception;
  }

  /** What ended a rank, null if nothing did. */
  public record Ending(@Nullable Throwable failure) {}

  static RingOptions options(Duration timeout) {
    return RingOptions.of(SECRET, "conformance", 1, "127.0.0.1").withTimeouts(OPEN, timeout);
  }

  Communicator open(Rendezvous rendezvous, Duration timeout) {
    RingOptions options = options(timeout);
    boolean socket = name().startsWith("SOCKET");
    Tuning usual = Tuning.defaults();
    if (name().endsWith("SMALL_BUFFERS")) {
      options =
          options.withTuning(new Tuning(512, 4096, 3000, 0, socket ? 0 : 4096, Duration.ZERO));
    } else if (socket) {
      options =
          options.withTuning(
              new Tuning(
                  usual.directBytes(),
                  usual.windowBytes(),
                  usual.stepBytes(),
                  usual.socketBytes(),
                  0,
                  usual.spin()));
    }
    if (name().endsWith("TREE")) {
      options = options.withOrder(ReductionOrder.TREE);
    }
    return RingCommunicator.open(options, rendezvous);
  }

  /** Runs {@code body} on every rank and returns how each ended, in rank order. */
  public List<Ending> run(int worldSize, Duration timeout, Body body) {
    List<Communicator> loopback =
        this == LOOPBACK ? LoopbackCommunicator.create(worldSize, timeout) : List.of();
    List<Rendezvous> rendezvous = ThreadRendezvous.create(worldSize, OPEN);
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try {
      var futures = new ArrayList<Future<Ending>>();
      for (int rank = 0; rank < worldSize; rank++) {
        int own = rank;
        futures.add(
            threads.submit(
                () -> {
                  try (Communicator communicator =
                      this == LOOPBACK ? loopback.get(own) : open(rendezvous.get(own), timeout)) {
                    body.run(communicator);
                    return new Ending(null);
                  } catch (Throwable e) {
                    return new Ending(e);
                  }
                }));
      }
      var endings = new ArrayList<Ending>();
      for (Future<Ending> future : futures) {
        endings.add(future.get(2, TimeUnit.MINUTES));
      }
      return endings;
    } catch (InterruptedException | ExecutionException | java.util.concurrent.TimeoutException e) {
      throw new AssertionError("a rank hangs", e);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Runs {@code body} on every rank; any failure fails the test. */
  public void runAll(int worldSize, Body body) {
    var endings = run(worldSize, PATIENT, body);
    AssertionError error = null;
    for (int rank = 0; rank < worldSize; rank++) {
      Throwable failure = endings.get(rank).failure();
      if (failure != null) {
        if (error == null) {
          error = new AssertionError(this + ", rank " + rank + " of " + worldSize, failure);
        } else {
          error.addSuppressed(failure);
        }
      }
    }
    if (error != null) {
      throw error;
    }
  }
}
