/**
 * Named moments at which a test may end, stop or delay a process of ours; nothing in use.
 *
 * <p>Read first: {@code Failpoint}, {@code Trap}.
 *
 * <p>Must not depend on any other package: every room calls it.
 */
@NullMarked
package dev.kindling.kernels.fault;

import org.jspecify.annotations.NullMarked;
