/**
 * From kernel sources in the jar to machine code: compiled ahead where the build found nvcc, else
 * by NVRTC at the first start and kept on disk.
 *
 * <p>Read first: {@code KernelImages} (which of the two), {@code KernelSource} (a file and its
 * headers), {@code ImageCache} (what is kept, and when it is not believed), {@code Nvrtc}, {@code
 * MissingLibrary}.
 *
 * <p>Must not depend on programs, layouts or devices: it is all done before a device is used.
 */
@NullMarked
package dev.kindling.kernels.backend.cuda.image;

import org.jspecify.annotations.NullMarked;
