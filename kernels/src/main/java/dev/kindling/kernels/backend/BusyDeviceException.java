package dev.kindling.kernels.backend;

/**
 * Work on a device did not end after a failure: nothing of it can be freed before this process
 * ends. Closing the backend throws it, so it is mostly suppressed by the failure itself.
 */
public final class BusyDeviceException extends DeviceException {
  private static final long serialVersionUID = 1L;

  public BusyDeviceException(String message) {
    super(message);
  }

  /** Whether this failure, a cause of it or one that it suppressed is such a one. */
  public static boolean in(Throwable failure) {
    if (failure instanceof BusyDeviceException) {
      return true;
    }
    for (Throwable suppressed : failure.getSuppressed()) {
      if (in(suppressed)) {
        return true;
      }
    }
    return failure.getCause() != null && in(failure.getCause());
  }
}
