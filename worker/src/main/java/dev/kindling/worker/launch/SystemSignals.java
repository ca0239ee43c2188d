package dev.kindling.worker.launch;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * POSIX signals. By reflection: javac warns of every direct use of {@code sun.misc.Signal}, and the
 * warning cannot be suppressed.
 */
public final class SystemSignals {
  private SystemSignals() {}

  /**
   * Replaces what the JVM does on the signal.
   *
   * @param name without SIG, such as INT
   * @param action runs on a fresh thread for every signal
   */
  public static void on(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> receiver = Class.forName("sun.misc.SignalHandler");
      Object proxy =
          Proxy.newProxyInstance(
              SystemSignals.class.getClassLoader(),
              new Class<?>[] {receiver},
              (self, method, arguments) -> {
                switch (method.getName()) {
                  case "handle" -> action.run();
                  case "hashCode" -> {
                    return System.identityHashCode(self);
                  }
                  case "equals" -> {
                    return self == arguments[0];
                  }
                  default -> {
                    return "signal " + name;
                  }
                }
                return null;
              });
      Object value = signal.getConstructor(String.class).newInstance(name);
      Method handle = signal.getMethod("handle", signal, receiver);
      handle.invoke(null, value, proxy);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException("signal " + name + " is reserved by the JVM", e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this JVM has no signal support", e);
    }
  }
}
