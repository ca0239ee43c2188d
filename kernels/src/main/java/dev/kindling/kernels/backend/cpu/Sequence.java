package dev.kindling.kernels.backend.cpu;

import java.util.List;

/** Several runnables as one, without an iterator per run. */
record Sequence(Runnable[] steps) implements Runnable {
  static Runnable of(List<Runnable> steps) {
    return steps.size() == 1 ? steps.get(0) : new Sequence(steps.toArray(Runnable[]::new));
  }

  @Override
  public void run() {
    for (Runnable step : steps) {
      step.run();
    }
  }
}
