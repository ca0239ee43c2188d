/**
 * The CPU backend: oracle and default. Every node is resolved once, at compile time.
 *
 * <p>Read first: {@code CpuBackend}, {@code CpuProgram}, {@code CpuKernel}, {@code CpuKernels}.
 *
 * <p>Must not depend on rank layout; collectives go through the communicator bound to their axis.
 */
@NullMarked
package dev.kindling.kernels.backend.cpu;

import org.jspecify.annotations.NullMarked;
