/**
 * Adapters as files: directories in peft's layout in and out, and adapters merged into their base.
 *
 * <p>Read first: {@link dev.kindling.worker.peft.PeftDirectory} (what a directory holds), {@link
 * dev.kindling.worker.peft.AdaptedWeights} (the plain model behind a run with an adapter).
 */
@NullMarked
package dev.kindling.worker.peft;

import org.jspecify.annotations.NullMarked;
