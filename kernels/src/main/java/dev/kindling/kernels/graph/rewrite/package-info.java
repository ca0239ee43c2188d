/**
 * Passes from node list to node list: fusions, schedule and the check that runs between them.
 *
 * <p>Read first: {@code Rewrite}, {@code FuseResidualNorm}, {@code Schedule}, {@code GraphCheck}.
 *
 * <p>Must not depend on backends.
 */
@NullMarked
package dev.kindling.kernels.graph.rewrite;

import org.jspecify.annotations.NullMarked;
