package dev.kindling.kernels.fault;

/** Thrown at a failpoint, because a plan said so. */
public final class FaultException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  FaultException(String moment) {
    super("failpoint " + moment);
  }
}
