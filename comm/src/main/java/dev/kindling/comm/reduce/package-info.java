/**
 * What every communicator adds up, and in which order. Read first: LogicalTree, BlockFold,
 * SpanView. Must not depend on sockets, threads or a rank layout.
 */
@NullMarked
package dev.kindling.comm.reduce;

import org.jspecify.annotations.NullMarked;
