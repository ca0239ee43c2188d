/**
 * The CUDA device behind the {@code Backend} port.
 *
 * <p>Read first: {@code CudaBackend}, {@code CudaProgram}, {@code layout.Layout} (how values are
 * stored and which nodes run as one), {@code CudaKernels} (one row per operation), {@code
 * CudaDevice}. Kernels are CUDA C++ in {@code src/main/cuda}.
 *
 * <p>Must not depend on plans, files or ranks' layout. Classes of JCuda and JavaCPP's CUDA preset
 * appear nowhere above this package: they are optional at run time.
 */
@NullMarked
package dev.kindling.kernels.backend.cuda;

import org.jspecify.annotations.NullMarked;
