/** Benchmarks as programs: each prints RESULT lines. */
@NullMarked
package dev.kindling.benchmarks;

import org.jspecify.annotations.NullMarked;
