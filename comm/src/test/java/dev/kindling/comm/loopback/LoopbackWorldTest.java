package dev.kindling.comm.loopback;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.comm.reduce.SpanView;
import dev.kindling.kernels.backend.CollectiveException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory of a rank may be freed once its call has ended, so no call may end during a copy. */
class LoopbackWorldTest {
  private static final String CALL = "allReduce 1 of 8 bytes";

  private final LoopbackWorld world = new LoopbackWorld(3, TimeUnit.MINUTES.toNanos(2));
  private final List<Thread> threads = new ArrayList<>();

  private static LoopbackWorld.Post post() {
    SpanView view = SpanView.of(ByteBuffer.allocateDirect(8));
    return new LoopbackWorld.Post(CALL, view, view);
  }

  /** A thread and what ended it. */
  private final class Caller {
    private final AtomicReference<Throwable> thrown = new AtomicReference<>();
    private final Thread thread;

    Caller(Runnable body) {
      thread =
          new Thread(
              () -> {
                try {
                  body.run();
                } catch (Throwable e) {
                  thrown.set(e);
                }
              });
      thread.setDaemon(true);
      threads.add(thread);
      thread.start();
    }

    /** Returns when it waits without a time-out, so for copies; fails if it ended instead. */
    void awaitWaiting() {
      Thread.State state = thread.getState();
      while (state != Thread.State.WAITING) {
        assertThat(state).as("ended during a copy").isNotEqualTo(Thread.State.TERMINATED);
        Thread.onSpinWait();
        state = thread.getState();
      }
    }

    Throwable awaitFailure() throws InterruptedException {
      thread.join();
      return java.util.Objects.requireNonNull(thrown.get(), "ended well");
    }
  }

  @AfterEach
  void nobodyHangs() throws InterruptedException {
    for (Thread thread : threads) {
      thread.interrupt();
      thread.join(TimeUnit.MINUTES.toMillis(1));
      assertThat(thread.isAlive()).as("hangs").isFalse();
    }
  }

  /** Rank 0 copies, rank 1 has left and waits, rank 2 fails or somebody aborts. */
  private void holds(Runnable failure) throws InterruptedException {
    Caller done =
        new Caller(
            () -> {
              world.enter(1, post());
              world.leave(1, CALL);
            });
    Caller failing =
        new Caller(
            () -> {
              world.enter(2, post());
              failure.run();
              world.leave(2, CALL);
            });
    world.enter(0, post());
    while (catchThrowable(() -> world.checkOpen(0, CALL)) == null) {
      Thread.onSpinWait();
    }
    done.awaitWaiting();
    failing.awaitWaiting();
    assertThatThrownBy(() -> world.leave(0, CALL)).isInstanceOf(CollectiveException.class);
    assertThat(done.awaitFailure()).isInstanceOf(CollectiveException.class);
    assertThat(failing.awaitFailure()).isInstanceOf(CollectiveException.class);
  }

  @Test
  void aRankThatFailsInItsPartWaitsForTheCopiesOfOthers() throws InterruptedException {
    holds(() -> world.broken(2, CALL, new IllegalStateException("scripted")));
  }

  @Test
  void whoAbortsWaitsForCopies() throws InterruptedException {
    List<Caller> aborting = new ArrayList<>();
    holds(
        () -> {
          Caller abort = new Caller(() -> world.abort("scripted"));
          aborting.add(abort);
          abort.awaitWaiting();
        });
    aborting.get(0).thread.join();
    assertThat(aborting.get(0).thrown).hasNullValue();
  }

  @Test
  void aRankThatComesAfterAFailureIsNotCountedIn() {
    world.abort("scripted");
    for (int rank = 0; rank < 3; rank++) {
      int own = rank;
      assertThatThrownBy(() -> world.enter(own, post())).hasMessageContaining("scripted");
    }
  }

  @Test
  void anOfferFromBeforeAFailureIsNotRead() throws InterruptedException {
    Caller sender = new Caller(() -> world.send(0, 1, post()));
    while (sender.thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    world.abort("scripted");
    assertThat(sender.awaitFailure()).hasMessageContaining("scripted");
    assertThatThrownBy(() -> world.receive(1, 0, post()))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContaining("scripted");
  }

  /** Else it would never leave, and a failure would wait for its copy for ever. */
  @Test
  void aRankInterruptedWhileTheLastOneComesTakesPart() throws Exception {
    LoopbackWorld pair = new LoopbackWorld(2, TimeUnit.MINUTES.toNanos(2));
    AtomicReference<Boolean> interrupted = new AtomicReference<>(false);
    Caller early =
        new Caller(
            () -> {
              pair.enter(1, post());
              interrupted.set(Thread.interrupted());
              pair.leave(1, CALL);
            });
    while (early.thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    Caller last;
    pair.lock.lock();
    try {
      last =
          new Caller(
              () -> {
                pair.enter(0, post());
                pair.leave(0, CALL);
              });
      while (!pair.lock.hasQueuedThread(last.thread)) {
        Thread.onSpinWait();
      }
      early.thread.interrupt();
      while (!pair.lock.hasQueuedThread(early.thread)) {
        Thread.onSpinWait();
      }
    } finally {
      pair.lock.unlock();
    }
    early.thread.join(TimeUnit.MINUTES.toMillis(1));
    assertThat(early.thread.isAlive()).as("hangs").isFalse();
    last.thread.join();
    assertThat(early.thrown.get()).isNull();
    assertThat(last.thrown.get()).isNull();
    assertThat(interrupted.get()).as("the interruption is kept").isTrue();
  }
}
