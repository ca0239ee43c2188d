/** Rank to coordinates over named axes; pure arithmetic. */
@NullMarked
package dev.kindling.comm.mesh;

import org.jspecify.annotations.NullMarked;
