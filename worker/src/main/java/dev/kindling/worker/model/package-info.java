/**
 * Model families: each written once, as a sentence in the vocabulary of kernels, with parameters
 * that carry their Hugging Face names.
 *
 * <p>Read first: {@link dev.kindling.worker.model.ModelFamily}, {@link
 * dev.kindling.worker.model.RotaryDecoder}, {@link dev.kindling.worker.model.Projection}.
 *
 * <p>Letters in comments: T tokens, D model width, H heads, K key/value heads, C head width, F MLP
 * width, V vocabulary. Must not depend on ranks, on files or on an optimizer.
 */
@NullMarked
package dev.kindling.worker.model;

import org.jspecify.annotations.NullMarked;
