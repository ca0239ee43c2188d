package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The second half of loading: parts have verified, tensors go to their targets. */
class TargetFillerTest {
  private static final long MIB = 1 << 20;

  private static final PartDescriptor PART = part();

  private final Thread caller = Thread.currentThread();

  /** What happened to targets, in order. */
  private final List<String> log = new ArrayList<>();

  private long outstanding;
  private long mostOutstanding;

  @TempDir Path root;

  private static PartDescriptor part() {
    Hashing hashing = new Hashing(FileHash.BLOCK_BYTES);
    hashing.update(ByteBuffer.allocate(3));
    String file = Layout.partFile(PartKind.MODEL, 1, 1);
    return new PartDescriptor("f", file, PartKind.MODEL, 0, 1, hashing.finish(), List.of());
  }

  private static StoredTensor stored(String name, long bytes) {
    return new StoredTensor(name, SafetensorsType.U8, List.of(bytes), 0, bytes, "");
  }

  /** A target that belongs to the thread of the test. */
  private final class Recorder implements TensorTarget {
    private final String name;
    private final Shape shape;
    private final Span span;

    Recorder(String name, Shape shape, Span span) {
      this.name = name;
      this.shape = shape;
      this.span = span;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public Shape shape() {
      return shape;
    }

    @Override
    public DType dtype() {
      return DType.F32;
    }

    @Override
    public Span room() {
      assertThat(Thread.currentThread()).isSameAs(caller);
      outstanding += span.bytes();
      mostOutstanding = Math.max(mostOutstanding, outstanding);
      return span;
    }

    private void returned(String how, Span room) {
      assertThat(Thread.currentThread()).isSameAs(caller);
      assertThat(room).isSameAs(span);
      outstanding -= span.bytes();
      log.add(how + " " + name);
    }

    @Override
    public void filled(Span room) {
      returned("filled", room);
    }

    @Override
    public void dropped(Span room) {
      returned("dropped", room);
    }
  }

  private Recorder recorder(int number, Span span) {
    return new Recorder("t" + number, Shape.of(1), span);
  }

  @Test
  void roomsAreFilledInOrderByTheCallerAndHoldAtMostTheBound() throws IOException {
    // Never touched, so that it costs neither memory nor disk.
    try (FileChannel sparse =
        FileChannel.open(
            root.resolve("sparse"),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      Span large = Span.of(sparse.map(FileChannel.MapMode.READ_WRITE, 0, 300 * MIB));
      long[] sizes = {
        100 * MIB, 100 * MIB, 56 * MIB, 1, MIB, 200 * MIB, 300 * MIB, 1, 255 * MIB, 1
      };
      AtomicBoolean elsewhere = new AtomicBoolean(true);
      try (TargetFiller filler =
          new TargetFiller(
              new Crew("-test", 4),
              (part, tensor, room) -> {
                if (Thread.currentThread() == caller) {
                  elsewhere.set(false);
                }
              })) {
        for (int i = 0; i < sizes.length; i++) {
          long bytes = sizes[i];
          filler.add(PART, stored("t" + i, bytes), recorder(i, large.slice(0, bytes)));
          assertThat(outstanding).isLessThanOrEqualTo(Math.max(256 * MIB, bytes));
        }
        filler.finish();
      }
      assertThat(elsewhere).as("reads leave the caller's thread alone").isTrue();
      assertThat(mostOutstanding).as("one that is larger goes alone").isEqualTo(300 * MIB);
      assertThat(outstanding).isZero();
      assertThat(log)
          .containsExactly(
              "filled t0",
              "filled t1",
              "filled t2",
              "filled t3",
              "filled t4",
              "filled t5",
              "filled t6",
              "filled t7",
              "filled t8",
              "filled t9");
    }
  }

  @Test
  void theBoundIsUsedToTheByte() throws IOException {
    CountDownLatch begun = new CountDownLatch(2);
    Span half = Span.of(ByteBuffer.allocateDirect(1)).slice(0, 1);
    try (TargetFiller filler =
        new TargetFiller(
            new Crew("", 2),
            (part, tensor, room) -> {
              begun.countDown();
              await(begun);
            })) {
      filler.add(PART, stored("t0", 1), recorder(0, half));
      filler.add(PART, stored("t1", TargetFiller.MOST_BYTES - 1), recorder(1, half));
      filler.finish();
    }
    assertThat(log).containsExactly("filled t0", "filled t1");
  }

  private static void await(CountDownLatch latch) {
    boolean waiting = true;
    while (waiting) {
      try {
        assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        waiting = false;
      } catch (InterruptedException ignored) {
        // As a read that cannot be stopped.
        waiting = true;
      }
    }
  }

  @Test
  void afterAFailureReadsThatAreUnderWayEndBeforeTheirRoomsGoBack() throws Exception {
    CountDownLatch underWay = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    AtomicBoolean ended = new AtomicBoolean();
    Span room = Span.allocate(4);
    TargetFiller.Read read =
        (part, tensor, target) -> {
          switch (tensor.name()) {
            case "t1" -> {
              await(underWay);
              throw new IOException("bad block");
            }
            case "t2" -> {
              underWay.countDown();
              await(release);
              ended.set(true);
            }
            default -> target.putInt(0, 1);
          }
        };
    Thread releaser = new Thread(() -> releaseOnceTheCallerWaits(release), "releaser");
    try (TargetFiller filler = new TargetFiller(new Crew("", 2), read)) {
      for (int i = 0; i < 4; i++) {
        filler.add(PART, stored("t" + i, 4), recorder(i, room));
      }
      assertThatThrownBy(filler::finish).isInstanceOf(IOException.class).hasMessage("bad block");
      assertThat(log).as("not while one may still write").containsExactly("filled t0");
      assertThat(ended).isFalse();
      releaser.start();
    }
    assertThat(ended).as("closed behind the last read").isTrue();
    assertThat(log).containsExactly("filled t0", "dropped t1", "dropped t2", "dropped t3");
    assertThat(outstanding).isZero();
    releaser.join();
  }

  private void releaseOnceTheCallerWaits(CountDownLatch release) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (caller.getState() != Thread.State.TIMED_WAITING && System.nanoTime() < end) {
      Thread.onSpinWait();
    }
    release.countDown();
  }

  @Test
  void anInterruptEndsTheLoadingButNotBeforeItsReads() throws Exception {
    CountDownLatch underWay = new CountDownLatch(1);
    AtomicBoolean ended = new AtomicBoolean();
    TargetFiller.Read read =
        (part, tensor, target) -> {
          underWay.countDown();
          sleepAway();
          ended.set(true);
        };
    try (TargetFiller filler = new TargetFiller(new Crew("", 1), read)) {
      filler.add(PART, stored("t0", 4), recorder(0, Span.allocate(4)));
      await(underWay);
      caller.interrupt();
      assertThatThrownBy(filler::finish)
          .isInstanceOf(CheckpointException.class)
          .hasMessage("tensor t0: interrupted while it was read");
    }
    assertThat(Thread.interrupted()).as("the interrupt is still to be seen").isTrue();
    assertThat(ended).isTrue();
    assertThat(log).containsExactly("dropped t0");
  }

  /** A tenth of a second, whoever interrupts. */
  private static void sleepAway() {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(100);
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
  }
}
