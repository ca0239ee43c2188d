package dev.kindling.worker.loop;

import dev.kindling.kernels.memory.Span;

/** Where the bytes of variables come from: the memory of a program, or a snapshot of it. */
@FunctionalInterface
interface Contents {
  /** Copies a run of the variable's bytes into the target, whose size says how many. */
  void fetch(String variable, long from, Span target);
}
