/**
 * Text from a trained model: tokens one by one with a cache of keys and values, of several prompts
 * at once.
 *
 * <p>Read first: {@link dev.kindling.worker.generate.TextGenerator}, {@link
 * dev.kindling.worker.generate.Generator}, {@link dev.kindling.worker.generate.LoadedModel}, {@link
 * dev.kindling.worker.generate.Sampling}. Must not depend on the loop, a launcher or the network.
 */
@NullMarked
package dev.kindling.worker.generate;

import org.jspecify.annotations.NullMarked;
