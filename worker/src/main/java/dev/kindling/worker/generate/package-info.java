/**
 * Text from a trained model: the forward program over a window of tokens, and the choice of the
 * next token.
 *
 * <p>Read first: {@link dev.kindling.worker.generate.TextGenerator}, {@link
 * dev.kindling.worker.generate.Sampling}.
 *
 * <p>Must not depend on ranks, plans or optimizers.
 */
@NullMarked
package dev.kindling.worker.generate;

import org.jspecify.annotations.NullMarked;
