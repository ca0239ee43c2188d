/**
 * The choice between the two flavours of the row kernels.
 *
 * <p>Read {@link dev.kindling.kernels.backend.cpu.row.RowKernels} first; the kernels themselves are
 * in the room {@code backend.cpu.vector}. Must not depend on graphs or operations.
 */
@NullMarked
package dev.kindling.kernels.backend.cpu.row;

import org.jspecify.annotations.NullMarked;
