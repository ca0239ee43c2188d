package dev.kindling.kernels.backend.cpu;

/** Turns one node into a runnable whose operands are resolved; running it allocates nothing. */
interface CpuKernel {
  Runnable bind(Binding binding);
}
