package dev.kindling.worker.loop;

/**
 * Asks whether the run should end early. Polled by every rank once a step, so it must not block;
 * the ranks agree through the gradient reduction, so they may see the wish at different times.
 */
@FunctionalInterface
public interface StopSignal {
  StopSignal NEVER = () -> StopRequest.NONE;

  StopRequest poll();
}
