/**
 * Reverse mode on demanded gradients.
 *
 * <p>Read first: {@code Autodiff}, {@code WithoutGradient}.
 *
 * <p>Must not depend on backends; the rules themselves live with the operations.
 */
@NullMarked
package dev.kindling.kernels.autodiff;

import org.jspecify.annotations.NullMarked;
