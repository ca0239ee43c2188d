/**
 * Fused causal attention by cuDNN's graph interface: q, k, v and their gradients are read and
 * written where they lie in a packed matrix; no permutation kernels.
 *
 * <p>Read first: {@code CudnnAttention}, {@code AttentionLayout}, {@code BackwardGraph}. Graphs are
 * described in plain Java ({@code OperationGraph}), so that tests evaluate them without a device;
 * {@code LoweredGraph} turns a description into cuDNN's descriptors, {@code ExecutionPlan} chooses
 * an engine.
 *
 * <p>Must not depend on the graph, on operations or on another backend.
 */
@NullMarked
package dev.kindling.kernels.backend.cuda.cudnn;

import org.jspecify.annotations.NullMarked;
