package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Disks, sinks and sources that fail while several parts are written. */
class PartsFailureTest {
  private static final PartCut SMALL = PartsWriterTest.SMALL;

  private final RankParts parts = PartsWriterTest.parts(SMALL, PartKind.MODEL, 0, 1);
  private final List<TensorSource> sources =
      new ArrayList<>(PartsWriterTest.tensors(PartKind.MODEL));

  @TempDir Path root;

  /** What a disk does to one file. */
  private interface Trouble {
    StorageOutput on(StorageOutput output) throws IOException;
  }

  private CheckpointStore storeWith(String file, Trouble trouble) {
    Storage storage = new LocalStorage(root);
    Storage troubled =
        (Storage)
            Proxy.newProxyInstance(
                Storage.class.getClassLoader(),
                new Class<?>[] {Storage.class},
                (proxy, method, arguments) -> {
                  try {
                    Object result = method.invoke(storage, arguments);
                    return result instanceof StorageOutput output
                            && String.valueOf(arguments[0]).endsWith(file)
                        ? trouble.on(output)
                        : result;
                  } catch (InvocationTargetException thrown) {
                    throw thrown.getCause();
                  }
                });
    return CheckpointStore.open(troubled, 4, SMALL);
  }

  /** An output that fails behind its header, or when it is forced to disk. */
  private record Failing(StorageOutput output, Throwable failure, boolean atCommit)
      implements StorageOutput {
    private void fail(boolean now) throws IOException {
      if (now && failure instanceof IOException io) {
        throw io;
      }
      if (now) {
        throw (RuntimeException) failure;
      }
    }

    @Override
    public void write(ByteBuffer content) throws IOException {
      fail(!atCommit && content.remaining() > 10_000);
      output.write(content);
    }

    @Override
    public void commit() throws IOException {
      fail(atCommit);
      output.commit();
    }

    @Override
    public void close() throws IOException {
      output.close();
    }
  }

  /** A tensor whose device answers as a test says. */
  private record Source(TensorSource tensor, Runnable atBytes, Runnable atRead)
      implements TensorSource {
    @Override
    public String name() {
      return tensor.name();
    }

    @Override
    public Shape shape() {
      return tensor.shape();
    }

    @Override
    public DType dtype() {
      return tensor.dtype();
    }

    @Override
    public void read(long from, Span target) {
      atRead.run();
      tensor.read(from, target);
    }

    @Override
    public long bytes() {
      atBytes.run();
      return tensor.bytes();
    }
  }

  private void replace(int tensor, Runnable atBytes, Runnable atRead) {
    sources.set(tensor, new Source(sources.get(tensor), atBytes, atRead));
  }

  private static Throwable failureOf(CheckpointStore store, RankParts parts, List<?> sources) {
    long epoch = store.claimEpoch();
    List<TensorSource> tensors = sources.stream().map(TensorSource.class::cast).toList();
    return catchThrowable(() -> store.writeParts(epoch, 1, "a", parts, tensors));
  }

  private void assertNoFile() throws IOException {
    Path data = root.resolve("data");
    assertThat(Files.exists(data) ? TinyRun.files(data) : List.of()).isEmpty();
  }

  @Test
  void aPartThatCannotBeWrittenEndsAllOthersAndLeavesNoFile() throws IOException {
    IOException full = new IOException("no space left on device");
    for (int index : new int[] {0, 3, parts.count() - 1}) {
      CheckpointStore store =
          storeWith(parts.file(index), output -> new Failing(output, full, false));
      assertThat(failureOf(store, parts, sources))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(parts.file(index) + ": tensor layers.")
          .hasMessageContaining("no space left on device");
      assertNoFile();
      assertThat(store.neverCommitted()).isTrue();
    }
  }

  @Test
  void aPartThatCannotBeForcedToDiskIsNamedWithoutTheNextOnesTensor() throws IOException {
    IOException broken = new IOException("I/O error");
    assertThat(parts.count()).as("a second part for the first sink").isGreaterThan(PartCut.SINKS);
    for (int index : new int[] {0, PartCut.SINKS}) {
      CheckpointStore store =
          storeWith(parts.file(index), output -> new Failing(output, broken, true));
      assertThat(failureOf(store, parts, sources))
          .isInstanceOf(CheckpointException.class)
          .hasMessageEndingWith(parts.file(index) + ": IOException: I/O error");
      assertNoFile();
    }
  }

  @Test
  void aDeathInASinkReachesTheCallerAsItIs() throws IOException {
    IllegalStateException death = new IllegalStateException("died");
    CheckpointStore store = storeWith(parts.file(2), output -> new Failing(output, death, false));
    assertThat(failureOf(store, parts, sources)).isSameAs(death);
    assertNoFile();
  }

  @Test
  void aSourceThatThrowsEndsTheSinksAndLeavesNoFile() throws IOException {
    IllegalStateException lost = new IllegalStateException("device lost");
    replace(30, () -> {}, () -> fail(lost));
    assertThat(failureOf(storeWith("none", output -> output), parts, sources)).isSameAs(lost);
    assertNoFile();
  }

  private static void fail(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    throw (RuntimeException) failure;
  }

  /** The sink fails while the source is asked, the source when the sink's failure is known. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theFailureOfASourceWinsOverAnEarlierOneOfASink(boolean collective) throws IOException {
    Throwable lost =
        collective ? new CollectiveException("peer lost") : new OutOfMemoryError("host memory");
    CountDownLatch asked = new CountDownLatch(1);
    AtomicReference<Thread> sink = new AtomicReference<>();
    CheckpointStore store =
        storeWith(
            parts.file(0),
            output -> {
              output.close();
              await(asked);
              sink.set(Thread.currentThread());
              throw new IOException("no space left on device");
            });
    List<Long> bytes = sources.stream().map(TensorSource::bytes).toList();
    replace(
        SMALL.partOf(bytes).indexOf(1),
        () -> {},
        () -> {
          asked.countDown();
          awaitIdle(sink);
          fail(lost);
        });
    assertThat(failureOf(store, parts, sources)).isSameAs(lost);
    assertThat(lost.getSuppressed())
        .singleElement()
        .isInstanceOfSatisfying(
            CheckpointException.class,
            suppressed ->
                assertThat(suppressed)
                    .hasMessageContaining(parts.file(0))
                    .hasMessageContaining("no space left on device"));
    assertThat(sink.get().getName()).isEqualTo("save-rank-0-0");
    assertNoFile();
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException stopped) {
      throw new IllegalStateException(stopped);
    }
  }

  /** Waits until a thread has failed and looks for more work. */
  private static void awaitIdle(AtomicReference<Thread> thread) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (thread.get() == null || thread.get().getState() != Thread.State.WAITING) {
      assertThat(System.nanoTime()).as("idle within 20 s").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  private static long directBytes() {
    return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
        .filter(pool -> pool.getName().equals("direct"))
        .mapToLong(BufferPoolMXBean::getMemoryUsed)
        .sum();
  }

  @Test
  void memoryOfSinksGoesBackWhenALaterOneCannotBeMade() throws IOException {
    OutOfMemoryError none = new OutOfMemoryError("direct memory");
    AtomicInteger asked = new AtomicInteger();
    // Sizes are asked for twice: for the cut, and by the sink for its buffers.
    Runnable second =
        () -> {
          if (asked.incrementAndGet() > 1) {
            throw none;
          }
        };
    List<Long> bytes = sources.stream().map(TensorSource::bytes).toList();
    replace(SMALL.partOf(bytes).indexOf(PartCut.SINKS - 1), second, () -> {});
    CheckpointStore store = storeWith("none", output -> output);
    long epoch = store.claimEpoch();
    long before = directBytes();
    assertThat(catchThrowable(() -> store.writeParts(epoch, 1, "a", parts, sources)))
        .isSameAs(none);
    // The JDK keeps some small buffers for its own use; those of seven sinks are over a megabyte.
    assertThat(directBytes()).isLessThan(before + 200_000);
    assertNoFile();
  }
}
