/**
 * Oracles and cases: each operation again in plain fp64 loops, and one case table that feeds
 * correctness, finite differences and speed.
 *
 * <p>Read first: {@code OpCases}, {@code Oracle}, {@code GraphOracle}. Must not depend on the CPU
 * kernels.
 */
@NullMarked
package dev.kindling.kernels.testing;

import org.jspecify.annotations.NullMarked;
