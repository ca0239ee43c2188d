/**
 * Matrix products of the CPU backend.
 *
 * <p>Read {@link dev.kindling.kernels.backend.cpu.blas.Matmul} first, then its two implementations:
 * OpenBLAS, and pure Java whose bits depend neither on the CPU nor on the number of threads. Must
 * not depend on graphs or operations.
 */
@NullMarked
package dev.kindling.kernels.backend.cpu.blas;

import org.jspecify.annotations.NullMarked;
