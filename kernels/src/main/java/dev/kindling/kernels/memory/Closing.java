package dev.kindling.kernels.memory;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Closes several things, each whatever became of the one before it. */
public final class Closing {
  private Closing() {}

  /**
   * Closes all of them in this order; the first failure is thrown, with the later ones suppressed.
   */
  public static void all(List<? extends AutoCloseable> parts) {
    RuntimeException failure = null;
    for (AutoCloseable part : parts) {
      failure = close(part, failure);
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Closes what a failed constructor had opened; what goes wrong here is added to the failure. */
  public static void after(Throwable failure, AutoCloseable part) {
    RuntimeException again = close(part, null);
    if (again != null) {
      failure.addSuppressed(again);
    }
  }

  private static @Nullable RuntimeException close(
      AutoCloseable part, @Nullable RuntimeException before) {
    try {
      part.close();
      return before;
    } catch (Exception caught) {
      RuntimeException failure =
          caught instanceof RuntimeException own
              ? own
              : new IllegalStateException("cannot close: " + caught, caught);
      if (before == null || before == failure) {
        return failure;
      }
      before.addSuppressed(failure);
      return before;
    }
  }
}
