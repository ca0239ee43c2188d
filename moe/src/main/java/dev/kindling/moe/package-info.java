/**
 * The seat of mixture of experts: router, dispatch, balance and placement come here. There is no
 * code yet; operations of experts belong to {@code dev.kindling.kernels.graph.op}.
 *
 * <p>Read first: {@link dev.kindling.kernels.graph.GraphBuilder}, the language in which a router is
 * a sentence.
 *
 * <p>Must not depend on comm, optim, worker or driver: tokens that change ranks name an axis, as
 * every collective does.
 */
@NullMarked
package dev.kindling.moe;

import org.jspecify.annotations.NullMarked;
