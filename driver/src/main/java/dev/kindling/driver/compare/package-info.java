/**
 * Two runs side by side: which step and which tensor differ first.
 *
 * <p>Read first: {@link dev.kindling.driver.compare.RunDiff}, {@link
 * dev.kindling.driver.compare.RunTrace}. What a ledger and a checkpoint are is told by the worker's
 * rooms; must not depend on Spark or on a running run.
 */
@NullMarked
package dev.kindling.driver.compare;

import org.jspecify.annotations.NullMarked;
