/**
 * The case table: one line per operation and shape. It feeds the tests of values and gradients here
 * and the speed program of the benchmarks, which is why it is no test source; training code does
 * not use it.
 *
 * <p>Read first: {@code OpCases}, {@code OpCase}.
 *
 * <p>Must not depend on backends or oracles: a case says what goes in, not what comes out.
 */
@NullMarked
package dev.kindling.kernels.cases;

import org.jspecify.annotations.NullMarked;
