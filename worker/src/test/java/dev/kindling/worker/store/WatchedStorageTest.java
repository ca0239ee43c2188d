package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WatchedStorageTest extends StorageCases {
  @TempDir Path folder;

  @Override
  protected Storage storage() {
    return new WatchedStorage(new LocalStorage(folder), Duration.ofMinutes(1));
  }

  /** A storage whose deletions wait for the latch. */
  private static Storage hanging(Path folder, CountDownLatch release) {
    return hanging(folder, release, new Semaphore(0));
  }

  private static Storage hanging(Path folder, CountDownLatch release, Semaphore entered) {
    Storage local = new LocalStorage(folder);
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("delete")) {
                entered.release();
                release.await();
              }
              return method.invoke(local, arguments);
            });
  }

  @Test
  void whoeverWaitsPatientlyGoesOnWithoutAStorageThatHangs() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    WatchedStorage storage = new WatchedStorage(hanging(folder, release), Duration.ofMillis(200));
    assertThat(storage.hung()).isEmpty();
    CountDownLatch ended = new CountDownLatch(2);
    assertThat(storage.patiently("deleting", deleting(storage, ended))).isFalse();
    assertThat(storage.isBusy()).isTrue();
    assertThat(storage.hung()).hasValueSatisfying(text -> assertThat(text).contains("no answer"));
    assertThat(storage.patiently("beside", deleting(storage, ended))).isFalse();
    assertThat(ended.getCount()).isEqualTo(2);
    release.countDown();
    assertThat(ended.await(1, TimeUnit.MINUTES)).isTrue();
    assertThat(storage.isBusy()).isFalse();
    assertThat(storage.hung()).isEmpty();
  }

  /** Counts down if nothing was thrown. */
  private static Runnable deleting(Storage storage, CountDownLatch ended) {
    return () -> {
      try {
        storage.delete("x");
      } catch (IOException failed) {
        throw new java.io.UncheckedIOException(failed);
      }
      ended.countDown();
    };
  }

  /** Whoever asks a storage that hangs only joins those who wait. */
  @Test
  void anOperationThatBeginsBesideOneThatHangsIsNoSignOfLife() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    Duration patience = Duration.ofHours(1);
    Semaphore entered = new Semaphore(0);
    Storage hanging = hanging(folder, release, entered);
    AtomicLong nanos = new AtomicLong();
    WatchedStorage storage = new WatchedStorage(hanging, patience, nanos::get);
    List<Thread> waiting = new ArrayList<>();
    try {
      waiting.add(deleting(storage));
      entered.acquire();
      assertThat(storage.hung()).isEmpty();
      nanos.addAndGet(patience.toNanos() + 1);
      assertThat(storage.hung()).isPresent();
      waiting.add(deleting(storage));
      entered.acquire();
      assertThat(storage.hung()).isPresent();
    } finally {
      release.countDown();
    }
    for (Thread each : waiting) {
      each.join();
    }
    assertThat(storage.hung()).isEmpty();
    assertThat(storage.isBusy()).isFalse();
  }

  private static Thread deleting(Storage storage) {
    Thread thread =
        new Thread(
            () -> {
              try {
                storage.delete("x");
              } catch (IOException failed) {
                throw new java.io.UncheckedIOException(failed);
              }
            });
    thread.start();
    return thread;
  }

  @Test
  void workThatEndsIsWaitedForAndItsFailureThrown() {
    WatchedStorage storage = new WatchedStorage(new LocalStorage(folder), Duration.ofNanos(1));
    assertThat(storage.patiently("nothing", () -> {})).isTrue();
    assertThatThrownBy(
            () ->
                storage.patiently(
                    "failing",
                    () -> {
                      throw new IllegalArgumentException("as it was");
                    }))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("as it was");
  }

  @Test
  void streamsAreWatchedToo() throws IOException {
    WatchedStorage storage = new WatchedStorage(new LocalStorage(folder), Duration.ofMinutes(1));
    try (StorageOutput output = storage.create("a/b")) {
      output.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
      output.commit();
    }
    try (StorageInput input = storage.open("a/b")) {
      assertThat(input.length()).isEqualTo(3);
    }
    assertThat(storage.isBusy()).isFalse();
  }
}
