/**
 * Oracles: each operation again in plain fp64 loops, whole graphs in fp64 and on the CPU, on one
 * rank or several.
 *
 * <p>Read first: {@code Oracle}, {@code GraphOracle}, {@code CpuRun}. Must not depend on the CPU
 * kernels.
 */
@NullMarked
package dev.kindling.kernels.testing;

import org.jspecify.annotations.NullMarked;
