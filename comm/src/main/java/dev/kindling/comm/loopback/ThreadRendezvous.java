package dev.kindling.comm.loopback;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Ranks as threads of one JVM meet at a barrier. */
public final class ThreadRendezvous implements Rendezvous {
  private final int rank;
  private final Duration timeout;
  private final CyclicBarrier barrier;
  private final List<String> slots;

  private ThreadRendezvous(int rank, Duration timeout, CyclicBarrier barrier, List<String> slots) {
    this.rank = rank;
    this.timeout = timeout;
    this.barrier = barrier;
    this.slots = slots;
  }

  /** One rendezvous per rank, connected with each other. */
  public static List<Rendezvous> create(int worldSize, Duration timeout) {
    var barrier = new CyclicBarrier(worldSize);
    List<String> slots =
        Collections.synchronizedList(new ArrayList<>(Collections.nCopies(worldSize, "")));
    var all = new ArrayList<Rendezvous>();
    for (int rank = 0; rank < worldSize; rank++) {
      all.add(new ThreadRendezvous(rank, timeout, barrier, slots));
    }
    return List.copyOf(all);
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return slots.size();
  }

  @Override
  public List<String> allGather(String message) {
    slots.set(rank, message);
    await();
    List<String> all = List.of(slots.toArray(new String[0]));
    await();
    return all;
  }

  private void await() {
    try {
      barrier.await(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CollectiveException("rank " + rank + ": rendezvous interrupted", e);
    } catch (BrokenBarrierException | TimeoutException e) {
      throw new CollectiveException(
          "rank " + rank + ": not all " + slots.size() + " ranks came to the rendezvous", e);
    }
  }
}
