package dev.kindling.worker.event;

/** Where a rank puts its events. Implementations never block the step and are thread-safe. */
@FunctionalInterface
public interface EventSink {
  void emit(WorkerEvent event);
}
