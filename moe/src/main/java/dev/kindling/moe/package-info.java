/** Mixture of experts: routers, dispatch and placement will live here; its ops live in kernels. */
@NullMarked
package dev.kindling.moe;

import org.jspecify.annotations.NullMarked;
