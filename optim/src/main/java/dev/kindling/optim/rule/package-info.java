/**
 * Optimizers: one record each, written as a sentence in the vocabulary of kernels.
 *
 * <p>Read first: {@link dev.kindling.optim.rule.UpdateRule}, {@link
 * dev.kindling.optim.rule.StateVariable}, {@link dev.kindling.optim.rule.AdamW}.
 *
 * <p>A rule declares its state and emits update ops; it holds no memory and runs no device code.
 * Must not depend on anything but the graph: not on ranks, files or a backend.
 */
@NullMarked
package dev.kindling.optim.rule;

import org.jspecify.annotations.NullMarked;
