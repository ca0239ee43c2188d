/**
 * The language in which a training step is written: immutable graphs of coarse operations.
 *
 * <p>Read first: {@code Param}, {@code Value}, {@code GraphBuilder}, {@code Graph}, {@code Demand}.
 * {@code Expectation} is here because records of all rooms above need it.
 *
 * <p>Must not depend on backends, rank layout, plans or the file system. Legend of shape letters
 * used in all rooms: T tokens, D model width, H heads, K key/value heads (or input width of a
 * weight), C head width, F MLP width, V vocabulary.
 */
@NullMarked
package dev.kindling.kernels.graph;

import org.jspecify.annotations.NullMarked;
