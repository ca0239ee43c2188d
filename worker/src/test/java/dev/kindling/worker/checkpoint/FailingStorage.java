package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageInput;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A storage of which one operation fails like a full disk, those of its streams counted; all others
 * work. The end of a stream is never the one, since it gives back what it holds.
 */
final class FailingStorage {
  private final Storage storage;
  private final AtomicInteger left = new AtomicInteger();

  FailingStorage(Storage target) {
    storage = failing(Storage.class, target);
  }

  Storage storage() {
    return storage;
  }

  /** The operation that fails, counted from now on and from 1. */
  void failAt(int operation) {
    left.set(operation);
  }

  /** Whether it came to that. */
  boolean met() {
    return left.get() <= 0;
  }

  private <T> T failing(Class<T> type, T target) {
    InvocationHandler calls = (proxy, method, arguments) -> call(target, method, arguments);
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, calls));
  }

  private Object call(Object target, Method method, Object[] arguments) throws Throwable {
    boolean counts = !method.getName().equals("close") && !method.getName().equals("location");
    if (counts && left.decrementAndGet() == 0) {
      throw new IOException("No space left on device");
    }
    Object result;
    try {
      result = method.invoke(target, arguments);
    } catch (InvocationTargetException thrown) {
      throw thrown.getCause();
    }
    if (result instanceof StorageOutput output) {
      return failing(StorageOutput.class, output);
    }
    return result instanceof StorageInput input ? failing(StorageInput.class, input) : result;
  }
}
