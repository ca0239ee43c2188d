/**
 * Scaling on paper: what synchronising every step and local-update methods would reach on more
 * workers and on other links than were at hand, played step by step from measured times.
 *
 * <p>Read first: {@link dev.kindling.benchmarks.scaling.Measurements} (the input), {@link
 * dev.kindling.benchmarks.scaling.AllReduceCost}, {@link dev.kindling.benchmarks.scaling.Timeline},
 * {@link dev.kindling.benchmarks.scaling.SyncMethod}.
 *
 * <p>Times are in seconds, sizes in bytes, rates of links in Gbit/s (10^9 bits) each way. Measures
 * nothing itself and must not depend on a device.
 */
@NullMarked
package dev.kindling.benchmarks.scaling;

import org.jspecify.annotations.NullMarked;
