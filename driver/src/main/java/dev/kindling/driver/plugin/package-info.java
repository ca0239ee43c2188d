/**
 * The wire between the driver and the executors of one Spark application, beside the tasks.
 *
 * <p>Read first: {@link dev.kindling.driver.plugin.KindlingPlugin}, {@link
 * dev.kindling.driver.plugin.RankLink} (executor side), {@link
 * dev.kindling.driver.plugin.ControlPoint} (driver side), {@link
 * dev.kindling.driver.plugin.RankMessage}, {@link dev.kindling.driver.plugin.ControlCodec}. Carries
 * events and stop requests, never tensors; must not know attempts, budgets or the command line.
 */
@NullMarked
package dev.kindling.driver.plugin;

import org.jspecify.annotations.NullMarked;
