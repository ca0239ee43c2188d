/**
 * Reverse mode on demanded gradients.
 *
 * <p>Read first: {@code Autodiff}, {@code GradientTape} (sums what several readers send back),
 * {@code WithoutGradient} (operations that have no gradient, each with its reason).
 *
 * <p>Must not depend on backends; the rules themselves live with the operations.
 */
@NullMarked
package dev.kindling.kernels.autodiff;

import org.jspecify.annotations.NullMarked;
