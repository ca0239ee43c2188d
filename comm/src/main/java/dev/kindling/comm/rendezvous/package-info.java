/**
 * How ranks that do not know each other yet meet. Read first: Rendezvous, FileRendezvous,
 * FingerprintCheck. Must not depend on a transport, nor on Spark: its barrier stage is one more
 * implementation, in the driver room.
 */
@NullMarked
package dev.kindling.comm.rendezvous;

import org.jspecify.annotations.NullMarked;
