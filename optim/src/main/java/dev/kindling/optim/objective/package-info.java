/**
 * What a zeroth-order step makes better: the loss, or any number that a model's answers have,
 * whether it has a gradient or not.
 *
 * <p>Read first: {@link dev.kindling.optim.objective.Objective}, {@link
 * dev.kindling.optim.objective.Accuracy}, {@link dev.kindling.optim.objective.F1}.
 *
 * <p>Pure functions of texts and scores: who scores and who writes does not matter here. Must not
 * depend on anything but checks of values.
 */
@NullMarked
package dev.kindling.optim.objective;

import org.jspecify.annotations.NullMarked;
