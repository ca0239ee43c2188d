/**
 * The CPU backend: oracle and default. Every node is resolved once, at compile time.
 *
 * <p>Read first: {@code CpuBackend}, {@code CpuProgram}, {@code CpuKernel}, {@code CpuKernels}
 * (which operation runs where), {@code Workers} (the threads).
 *
 * <p>Must not depend on rank layout; collectives go through the communicator bound to their axis.
 */
@NullMarked
package dev.kindling.kernels.backend.cpu;

import org.jspecify.annotations.NullMarked;
