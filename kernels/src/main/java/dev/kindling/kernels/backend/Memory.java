package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;

/**
 * The variables of a run. Each role is one contiguous arena, so a whole role is one transfer.
 *
 * <p>Spans are the host's view. Variables of the roles INPUT and STEP travel to the device, those
 * of OUTPUT back, with every run. For the other roles a device with memory of its own shows its
 * content only after {@link #fetch}, and sees what the host wrote only after {@link #publish}.
 */
public interface Memory extends AutoCloseable {
  /** The host's view of one variable; unknown names are an IllegalArgumentException. */
  Span span(String variable);

  /**
   * The host's view of all variables of the role in declaration order, padding zero; empty span if
   * there are none. A device with memory of its own offers it for INPUT, STEP and OUTPUT only.
   */
  Span arena(Role role);

  /** Brings the device's content of this variable into its span. */
  void fetch(String variable);

  /** Hands the content of this variable's span to the device. */
  void publish(String variable);

  /**
   * The host is done with this variable's span for now: a device with memory of its own may give
   * back the memory behind it. The span is not to be touched any more; a new one may be asked for.
   */
  default void release(String variable) {}

  /** Zeroes every variable of the role on the device, padding included. */
  void clear(Role role);

  long bytes(Role role);

  @Override
  void close();
}
