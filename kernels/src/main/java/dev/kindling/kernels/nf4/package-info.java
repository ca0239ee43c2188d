/**
 * Weights of 4 bits on the host: {@link dev.kindling.kernels.nf4.Nf4Writer} packs a matrix piece by
 * piece, {@link dev.kindling.kernels.nf4.Nf4Reader} is what every device's kernel must compute. The
 * format is {@link dev.kindling.kernels.graph.op.Nf4}. Must not depend on backends.
 */
@NullMarked
package dev.kindling.kernels.nf4;

import org.jspecify.annotations.NullMarked;
