/**
 * Where values live: host memory pieces and the plan that packs activations by lifetime.
 *
 * <p>Read first: {@code Span}, {@code MemoryPlan}, {@code Lifetime}.
 *
 * <p>Must not depend on backends: a plan is arithmetic, and {@code explain} makes one without a
 * device.
 */
@NullMarked
package dev.kindling.kernels.memory;

import org.jspecify.annotations.NullMarked;
