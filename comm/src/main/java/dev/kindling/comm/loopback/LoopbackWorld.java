package dev.kindling.comm.loopback;

import dev.kindling.comm.reduce.SpanView;
import dev.kindling.kernels.backend.CollectiveException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the threads of one loopback world share: what each rank posted, and where they wait.
 *
 * <p>Memory that a rank posted may be freed as soon as its collective returns or throws. So nobody
 * is told of a failure, neither a waiting rank nor who aborts, before every copy that is under way
 * has ended.
 */
final class LoopbackWorld {
  /** What one rank brings to the running collective. */
  record Post(String call, SpanView send, SpanView receive) {}

  /** For tests, which hold it to put threads in a chosen order. */
  final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private final @Nullable Post[] posts;
  private final @Nullable Post[][] mail;
  private final long timeoutNanos;
  private int arrived;
  private long generation;

  /** Ranks that may be copying: from the moment all have entered until each has left. */
  private int copying;

  private @Nullable String failure;

  LoopbackWorld(int worldSize, long timeoutNanos) {
    posts = new Post[worldSize];
    mail = new Post[worldSize][worldSize];
    this.timeoutNanos = timeoutNanos;
  }

  int worldSize() {
    return posts.length;
  }

  SpanView send(int rank) {
    return post(rank).send();
  }

  SpanView receive(int rank) {
    return post(rank).receive();
  }

  private Post post(int rank) {
    Post post = posts[rank];
    if (post == null) {
      throw new IllegalStateException("rank " + rank + " has posted nothing");
    }
    return post;
  }

  /**
   * Posts this rank's part and waits for all others; fails everybody if the calls differ. Whoever
   * returns from here must call {@link #leave} or {@link #broken}.
   */
  void enter(int rank, Post post) {
    lock.lock();
    try {
      requireOpen(rank, post.call());
      posts[rank] = post;
      barrier(rank, post.call(), posts.length);
      for (int peer = 0; peer < posts.length; peer++) {
        if (!post(peer).call().equals(post.call())) {
          copied();
          throw fail(disagreement(rank, post, peer, post(peer).call()));
        }
      }
    } finally {
      lock.unlock();
    }
  }

  private static String disagreement(int rank, Post post, int peer, String call) {
    return "ranks disagree: rank "
        + rank
        + " is in "
        + post.call()
        + ", rank "
        + peer
        + " is in "
        + call;
  }

  /** Waits until all ranks have done their part. */
  void leave(int rank, String call) {
    lock.lock();
    try {
      copied();
      requireOpen(rank, call);
      barrier(rank, call, 0);
    } finally {
      lock.unlock();
    }
  }

  /** This rank's part failed: so does the collective of all others. */
  void broken(int rank, String call, Throwable cause) {
    lock.lock();
    try {
      copied();
    } finally {
      lock.unlock();
    }
    abort("rank " + rank + " failed in " + call + ": " + cause);
  }

  private void copied() {
    copying--;
    if (copying == 0) {
      changed.signalAll();
    }
  }

  private void barrier(int rank, String call, int copies) {
    arrived++;
    if (arrived == posts.length) {
      arrived = 0;
      generation++;
      copying = copies;
      changed.signalAll();
      return;
    }
    long own = generation;
    await(rank, call, () -> generation != own);
  }

  /** Offers {@code post} to {@code peer} and waits until it was copied. */
  @SuppressWarnings("ReferenceEquality") // an equal offer of the next round is another one
  void send(int rank, int peer, Post post) {
    lock.lock();
    try {
      await(rank, post.call(), () -> mail[rank][peer] == null);
      requireOpen(rank, post.call());
      mail[rank][peer] = post;
      changed.signalAll();
      await(rank, post.call(), () -> mail[rank][peer] != post);
    } finally {
      lock.unlock();
    }
  }

  /** Copies what {@code peer} offers, holding the lock: the offer cannot be withdrawn meanwhile. */
  void receive(int rank, int peer, Post post) {
    lock.lock();
    try {
      await(rank, post.call(), () -> mail[peer][rank] != null);
      // The sender of an offer from before a failure may be gone, and its memory with it.
      requireOpen(rank, post.call());
      Post offer = mail[peer][rank];
      if (offer == null || !offer.call().equals(post.call())) {
        throw fail(disagreement(rank, post, peer, offer == null ? "nothing" : offer.call()));
      }
      post.receive().copy(0, offer.send(), 0, offer.send().length());
      mail[peer][rank] = null;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void await(int rank, String call, BooleanSupplier condition) {
    long left = timeoutNanos;
    try {
      while (!condition.getAsBoolean()) {
        requireOpen(rank, call);
        if (left <= 0) {
          throw fail(
              "rank "
                  + rank
                  + ", "
                  + call
                  + ": waited "
                  + TimeUnit.NANOSECONDS.toMillis(timeoutNanos)
                  + " ms for ranks "
                  + absent(call));
        }
        left = changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      // The last rank may have come between the interruption and the lock: then this rank counts as
      // copying, and an abort would wait for it for ever. The next wait throws.
      if (!condition.getAsBoolean()) {
        throw fail("rank " + rank + " was interrupted in " + call);
      }
    }
  }

  private List<Integer> absent(String call) {
    var absent = new ArrayList<Integer>();
    for (int rank = 0; rank < posts.length; rank++) {
      Post post = posts[rank];
      if (post == null || !post.call().equals(call)) {
        absent.add(rank);
      }
    }
    return absent;
  }

  private CollectiveException fail(String reason) {
    abort(reason);
    return new CollectiveException(reason);
  }

  /** Fails all waiting and later calls of all ranks, and returns when no copy is under way. */
  void abort(String reason) {
    lock.lock();
    try {
      if (failure == null) {
        failure = reason;
      }
      changed.signalAll();
      awaitCopies();
    } finally {
      lock.unlock();
    }
  }

  /** Short: a copy waits for nobody. */
  private void awaitCopies() {
    while (copying > 0) {
      changed.awaitUninterruptibly();
    }
  }

  private void requireOpen(int rank, String call) {
    if (failure != null) {
      awaitCopies();
      throw new CollectiveException("rank " + rank + ", " + call + ": " + failure);
    }
  }

  void checkOpen(int rank, String call) {
    lock.lock();
    try {
      if (failure != null) {
        throw new CollectiveException("rank " + rank + " cannot start " + call + ": " + failure);
      }
    } finally {
      lock.unlock();
    }
  }
}
