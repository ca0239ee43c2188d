/**
 * Text from a trained model.
 *
 * <p>Read first: {@link dev.kindling.worker.generate.Generator}, {@link
 * dev.kindling.worker.generate.LoadedModel}, {@link dev.kindling.worker.generate.Sampling}. Must
 * not depend on the loop, a launcher or the network.
 */
@NullMarked
package dev.kindling.worker.generate;

import org.jspecify.annotations.NullMarked;
