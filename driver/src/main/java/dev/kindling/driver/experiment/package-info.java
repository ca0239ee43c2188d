/**
 * Many runs of one configuration, resumable as a whole.
 *
 * <p>The state of an experiment is its folders: a run with a result file is finished, a run with a
 * checkpoint is resumed, any other starts. Every run is a process of its own, since a JVM holds one
 * Spark application only.
 *
 * <p>Read first: {@link dev.kindling.driver.experiment.ExperimentSpec}, {@link
 * dev.kindling.driver.experiment.PlannedRun}, {@link dev.kindling.driver.experiment.Experiment},
 * {@link dev.kindling.driver.experiment.RunStarter}, {@link
 * dev.kindling.worker.event.report.MetricsLog}.
 *
 * <p>Must not depend on Spark itself: what it starts does.
 */
@NullMarked
package dev.kindling.driver.experiment;

import org.jspecify.annotations.NullMarked;
