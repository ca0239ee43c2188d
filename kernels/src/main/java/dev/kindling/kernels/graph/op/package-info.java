/**
 * The closed vocabulary: one record per operation, each with shapes, gradient, flops and bytes.
 *
 * <p>Read first: {@code Op}, {@code Tape}, {@code Linear}, {@code RmsNorm}, {@code Attention},
 * {@code Collective}.
 *
 * <p>There is no send and no receive: all ranks run one graph here, whereas the ranks of a pipeline
 * run different ones and interleave micro-batches, so their transfers stand between programs, in
 * the step.
 *
 * <p>Must not depend on backends: a record says what is computed, never how.
 */
@NullMarked
package dev.kindling.kernels.graph.op;

import org.jspecify.annotations.NullMarked;
