package dev.kindling.kernels.backend;

import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import java.util.List;

/**
 * The variables of a run. Each role is one contiguous arena, so a whole role is one transfer.
 *
 * <p>Spans are the host's view. Variables of the roles INPUT and STEP travel to the device, those
 * of OUTPUT back, with every run. For the other roles a device with memory of its own shows its
 * content only after {@link #fetch}, and sees what the host wrote only after {@link #publish}.
 */
public interface Memory extends AutoCloseable {
  /** The host's view of one variable; unknown names are an IllegalArgumentException. */
  default Span span(String variable) {
    return span(variable, 0);
  }

  /**
   * As {@link #span(String)}, for the roles that travel with a run: a run in flight reads inputs
   * and step block from its own slot and leaves its outputs there, while the host fills the next.
   * For all other roles every slot is the same.
   *
   * @param slot from 0 to {@link #slots} - 1
   */
  Span span(String variable, int slot);

  /** How many runs may be in flight at a time; 1 where a run ends before its submission returns. */
  int slots();

  /** Blocks until the last run that was submitted with this slot has ended; errors surface here. */
  void await(int slot);

  /**
   * The host's view of all variables of the role in declaration order, padding zero; empty span if
   * there are none. A device with memory of its own offers it for INPUT, STEP and OUTPUT only.
   */
  default Span arena(Role role) {
    return arena(role, 0);
  }

  /** As {@link #arena(Role)}, of one slot. */
  Span arena(Role role, int slot);

  /** Brings the device's content of this variable into its span. */
  void fetch(String variable);

  /**
   * Copies a run of the variable's bytes, as the host sees them, into memory of the caller. A
   * device with memory of its own makes no view of the variable for it.
   *
   * @param from first byte, a multiple of the element's size; the target says how many
   */
  default void fetch(String variable, long from, Span target) {
    fetch(variable);
    Span whole = span(variable);
    target.buffer().put(0, whole.buffer(), Math.toIntExact(from), (int) target.bytes());
  }

  /**
   * One hash of what each of these variables holds: equal for equal content on backends of one
   * kind, different if one element alone differs. A device makes them where the content lies.
   */
  long[] hashes(List<String> variables);

  /**
   * Room for a copy of these variables, taken again and again. Roles that travel with every run
   * have none.
   *
   * @throws DeviceException if the host has too little memory; nothing was reserved then
   */
  Snapshot snapshot(List<String> variables);

  /** Hands the content of this variable's span to the device. */
  void publish(String variable);

  /**
   * Hands a run of the variable's bytes, as the host sees them, to the device: for what is filled
   * piece by piece. A device with memory of its own makes no view of the variable for it.
   *
   * @param from first byte, a multiple of the element's size; the source says how many
   */
  default void publish(String variable, long from, Span source) {
    Span whole = span(variable);
    whole.buffer().put(Math.toIntExact(from), source.buffer(), 0, (int) source.bytes());
    publish(variable);
  }

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
