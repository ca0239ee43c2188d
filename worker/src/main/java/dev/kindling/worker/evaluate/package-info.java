/**
 * How good a model is at texts that it has not seen: loss and perplexity over texts, and questions
 * with given answers.
 *
 * <p>Read first: {@link dev.kindling.worker.evaluate.Scorer}, {@link
 * dev.kindling.worker.evaluate.TextEvaluation}, {@link
 * dev.kindling.worker.evaluate.ChoiceEvaluation}. Must not depend on the loop, a launcher or the
 * network.
 */
@NullMarked
package dev.kindling.worker.evaluate;

import org.jspecify.annotations.NullMarked;
