/**
 * The whole run as one immutable, validated record tree, read from YAML, and what follows from it
 * by arithmetic.
 *
 * <p>Read first: {@link dev.kindling.worker.plan.TrainPlan} (every key of the configuration),
 * {@link dev.kindling.worker.plan.BatchArithmetic} (derived counts), {@link
 * dev.kindling.worker.plan.PlanChange} (what a resume may change), {@link
 * dev.kindling.worker.plan.PlanReader} (text to plan).
 *
 * <p>Must not depend on the step, the loop, the network or the file system.
 */
@NullMarked
package dev.kindling.worker.plan;

import org.jspecify.annotations.NullMarked;
