package dev.kindling.driver.launch;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Stops a rank at one of its acts, as a stopped host would, until somebody opens it. Everything
 * that the rank does to the world passes here first.
 */
final class Gate {
  private static final long LIMIT_SECONDS = 120;

  private final AtomicInteger passed = new AtomicInteger();
  private final CountDownLatch reached = new CountDownLatch(1);
  private final CountDownLatch opened = new CountDownLatch(1);
  private final int stopAt;
  private volatile String heldAt = "";

  /**
   * @param stopAt number of the act that waits, from 1; 0 = none
   */
  Gate(int stopAt) {
    this.stopAt = stopAt;
  }

  void pass(String act) {
    if (passed.incrementAndGet() == stopAt) {
      heldAt = act;
      reached.countDown();
      await(opened);
    }
  }

  /** Acts so far. */
  int passed() {
    return passed.get();
  }

  /** Waits until the rank stands. */
  void awaitHeld() {
    await(reached);
  }

  /** What it was about to do. */
  String heldAt() {
    return heldAt;
  }

  boolean isOpened() {
    return opened.getCount() == 0;
  }

  void open() {
    opened.countDown();
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException("nobody came in " + LIMIT_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** The storage with this gate before every call, and behind every check of a commit. */
  Storage before(Storage storage) {
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              if (!method.getName().equals("location")) {
                pass(method.getName() + " " + arguments[0]);
              }
              if (method.getName().equals("commitExclusive") && arguments.length == 3) {
                Storage.Check check = (Storage.Check) arguments[2];
                arguments[2] =
                    (Storage.Check)
                        () -> {
                          check.run();
                          pass("checked " + arguments[0]);
                        };
              }
              Object result = call(storage, method, arguments);
              return result instanceof StorageOutput output ? before(output) : result;
            });
  }

  private StorageOutput before(StorageOutput output) {
    return (StorageOutput)
        Proxy.newProxyInstance(
            StorageOutput.class.getClassLoader(),
            new Class<?>[] {StorageOutput.class},
            (proxy, method, arguments) -> {
              pass(method.getName());
              return call(output, method, arguments);
            });
  }

  private static @Nullable Object call(Object target, Method method, Object @Nullable [] arguments)
      throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException thrown) {
      throw thrown.getCause();
    }
  }
}
