/**
 * Learning rate schedules: the factor by which a rule's learning rate is multiplied at a step.
 *
 * <p>Read first: {@link dev.kindling.optim.schedule.Schedule}, {@link
 * dev.kindling.optim.schedule.Cosine}.
 *
 * <p>Pure arithmetic on step numbers: no state to save, so a resumed run needs only its step
 * number. Must not depend on anything, not even the graph.
 */
@NullMarked
package dev.kindling.optim.schedule;

import org.jspecify.annotations.NullMarked;
