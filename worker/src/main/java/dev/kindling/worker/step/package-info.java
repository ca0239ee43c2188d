/**
 * The compiled programs of one rank and their memory.
 *
 * <p>Read first: {@link dev.kindling.worker.step.StepShape}, {@link
 * dev.kindling.worker.step.StepGraphs} (the sentences), {@link
 * dev.kindling.worker.step.StepProgram} (what the loop calls). Must not depend on files, on
 * configuration text or on a launcher.
 *
 * <p>Letters: T tokens of a micro-batch, V vocabulary, D model width.
 */
@NullMarked
package dev.kindling.worker.step;

import org.jspecify.annotations.NullMarked;
