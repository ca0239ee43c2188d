/** Immutable operation graphs: values, variables, parameters and the builder that writes them. */
@NullMarked
package dev.kindling.kernels.graph;

import org.jspecify.annotations.NullMarked;
