package dev.kindling.kernels.backend;

/** A device, library or kernel failed while running: names the operation and what was found. */
public class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DeviceException(String message) {
    super(message);
  }

  public DeviceException(String message, Throwable cause) {
    super(message, cause);
  }
}
