/**
 * Starts the ranks through Spark, keeps attempts within their budget, and writes what the ranks
 * report.
 *
 * <p>Read first: {@link dev.kindling.driver.launch.AttemptLoop}, {@link
 * dev.kindling.driver.launch.BarrierLauncher}, {@link dev.kindling.driver.launch.SparkSettings},
 * {@link dev.kindling.driver.launch.MetricsFile}, {@link dev.kindling.driver.launch.HistoryFile},
 * {@link dev.kindling.driver.launch.StopSwitch}, {@link dev.kindling.driver.launch.PlacedModel}
 * (models that are not being trained). What a rank does lives in {@code worker.loop}; launchers
 * without Spark in {@code worker.launch}. Must not know the command line.
 */
@NullMarked
package dev.kindling.driver.launch;

import org.jspecify.annotations.NullMarked;
