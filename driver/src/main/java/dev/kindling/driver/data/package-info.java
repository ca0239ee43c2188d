/**
 * Spark adapters of {@code worker.data}: the pool that spreads preparation over executors, and the
 * bodies of {@code data corpus | prepare | inspect}.
 *
 * <p>Read first: {@link dev.kindling.driver.data.SparkWorkPool}, {@link
 * dev.kindling.driver.data.DataJobs}. No logic that decides a byte lives here: it must not depend
 * on how Spark cuts or orders its work.
 */
@NullMarked
package dev.kindling.driver.data;

import org.jspecify.annotations.NullMarked;
