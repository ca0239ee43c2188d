/**
 * Collectives between JVMs and hosts over TCP. Read first: RingOptions, RingCommunicator, Exchange
 * (the one loop that moves bytes), SliceFlow, RingFlow. Must not depend on Spark, a file system or
 * a rank layout. Payload travels in clear: the handshake keeps strangers out, it does not hide
 * data, and sums find accidents alone; use an isolated network where that matters.
 */
@NullMarked
package dev.kindling.comm.ring;

import org.jspecify.annotations.NullMarked;
