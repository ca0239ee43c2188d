package dev.kindling.kernels.backend.cuda;

/** One thing put on the device's stream: a kernel, a library call, a copy. */
interface Command {
  /** Issues it; allocates nothing on the device. While a graph is captured it is only recorded. */
  void issue();
}
