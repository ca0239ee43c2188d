/**
 * How a CUDA device stores the values of a graph and in which groups it runs the nodes: pure
 * arithmetic, so that {@code explain} and the tests need no device.
 *
 * <p>Read first: {@code Layout}, {@code Stored}, {@code Group}, {@code OpStorage} (one row per
 * operation), {@code LayoutCheck}.
 *
 * <p>Must not depend on CUDA bindings or on another backend.
 */
@NullMarked
package dev.kindling.kernels.backend.cuda.layout;

import org.jspecify.annotations.NullMarked;
