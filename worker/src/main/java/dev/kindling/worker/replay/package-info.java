/**
 * The log of a zeroth-order run, and weights made of it again: 16 bytes a step and direction say
 * everything that training did to the weights.
 *
 * <p>Read first: {@link dev.kindling.worker.replay.SlopeRecord}, {@link
 * dev.kindling.worker.replay.SlopeLog}, {@link dev.kindling.worker.replay.Replay}.
 *
 * <p>Must not depend on the loop, which writes the log.
 */
@NullMarked
package dev.kindling.worker.replay;

import org.jspecify.annotations.NullMarked;
