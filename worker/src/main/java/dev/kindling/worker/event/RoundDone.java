package dev.kindling.worker.event;

/**
 * A round of local updates ended behind a step; only rank 0 emits it, right before the step.
 *
 * @param outerStep number of the outer step, from 1
 * @param exposedMillis that the boundary stood still for the average it applied
 * @param loss mean over the tokens that all replicas counted in the round that arrived, nats per
 *     token; NaN if none arrived
 * @param drift root of the mean squared distance of the replicas from their mean, at the end of the
 *     round that arrived; NaN if none arrived
 * @param stalenessGap what the displacement that arrived was divided by; NaN for a method without
 */
public record RoundDone(
    int rank,
    long step,
    long outerStep,
    double exposedMillis,
    float loss,
    double drift,
    double stalenessGap)
    implements WorkerEvent {}
