package dev.kindling.kernels.backend;

import dev.kindling.kernels.memory.Span;

/**
 * Room in host memory for what some variables held at one moment, so that training may go on while
 * it is written. It is as large as the variables are on the device; one that is stored in bf16
 * alone takes two bytes an element.
 *
 * <p>The thread that submits runs takes; any other may await and read what was taken, until the
 * next take. To be closed before its memory, when nobody reads any more.
 */
public interface Snapshot extends AutoCloseable {
  /**
   * Takes what the variables hold after all runs that were submitted so far. A device with a copy
   * engine returns at once: runs that follow may read the variables meanwhile, and write them after
   * they are copied.
   */
  void take();

  /**
   * Blocks until the copy is complete.
   *
   * @throws DeviceException if a run before it, or the copy, failed
   */
  void await();

  /** As {@link Memory#fetch(String, long, Span)}, of what was taken; only after {@link #await}. */
  void fetch(String variable, long from, Span target);

  /** Host memory that it occupies. */
  long bytes();

  @Override
  void close();
}
