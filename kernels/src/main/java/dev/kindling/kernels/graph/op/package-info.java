/**
 * The closed vocabulary: one record per operation, each with shapes, gradient, flops and bytes.
 *
 * <p>Read first: {@code Op}, {@code Tape}, {@code Linear}, {@code RmsNorm}, {@code Attention}.
 *
 * <p>Must not depend on backends: a record says what is computed, never how.
 */
@NullMarked
package dev.kindling.kernels.graph.op;

import org.jspecify.annotations.NullMarked;
