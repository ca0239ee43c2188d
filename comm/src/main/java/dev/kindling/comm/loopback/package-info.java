/**
 * Ranks as threads of one JVM, for tests and the threads launcher. Read first:
 * LoopbackCommunicator, ThreadRendezvous. Must not depend on sockets.
 */
@NullMarked
package dev.kindling.comm.loopback;

import org.jspecify.annotations.NullMarked;
