/**
 * Counter-based random numbers: a number is a pure function of a key and a counter.
 *
 * <p>Read first: {@code Philox}, {@code Initialization}.
 *
 * <p>Must not depend on backends, nor on who asks: no rank, thread or order of calls enters a
 * number.
 */
@NullMarked
package dev.kindling.kernels.random;

import org.jspecify.annotations.NullMarked;
