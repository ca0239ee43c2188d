/**
 * The ports of the engine: what a device offers and what a group of ranks offers.
 *
 * <p>Read first: {@code Backend}, {@code Memory}, {@code Program}, {@code Communicator}.
 *
 * <p>Must not depend on plans, ranks' layout or the file system.
 */
@NullMarked
package dev.kindling.kernels.backend;

import org.jspecify.annotations.NullMarked;
