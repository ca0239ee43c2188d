package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Locale;

/**
 * Parts of an outer step, which every method is a choice of; {@link
 * dev.kindling.kernels.graph.op.OuterUpdate} has the formula.
 *
 * @param late whether what is applied is the mean of the round before, whose reduction ran beside
 *     the inner steps; else the boundary waits for the mean of its own round
 * @param own of a late step: how much of its own displacement a replica applies at once; more than
 *     none and replicas differ
 * @param lambda what {@link Penalty#CONSTANT} divides by
 * @param momentumLimit bound on each element of the stored momentum, infinity for none
 * @param stepLimit bound on each element of the applied step, infinity for none
 * @param innerRate whether the momentum is in units of the inner learning rate
 */
public record OuterStep(
    boolean late,
    OwnShare own,
    double rate,
    double momentum,
    boolean nesterov,
    Penalty penalty,
    double lambda,
    double momentumLimit,
    double stepLimit,
    boolean innerRate) {
  private static final double FREE = Double.POSITIVE_INFINITY;

  static OuterStep blocking(double rate, double momentum, boolean nesterov) {
    return new OuterStep(
        false, OwnShare.NONE, rate, momentum, nesterov, Penalty.CONSTANT, 1, FREE, FREE, false);
  }

  static OuterStep late(double rate, double momentum, boolean nesterov, OwnShare own) {
    return new OuterStep(
        true, own, rate, momentum, nesterov, Penalty.CONSTANT, 1, FREE, FREE, false);
  }

  OuterStep penalized(Penalty by, double constant) {
    return new OuterStep(
        late, own, rate, momentum, nesterov, by, constant, momentumLimit, stepLimit, innerRate);
  }

  OuterStep clipped(double stored, double applied) {
    return new OuterStep(
        late, own, rate, momentum, nesterov, penalty, lambda, stored, applied, innerRate);
  }

  OuterStep perInnerRate() {
    return new OuterStep(
        late, own, rate, momentum, nesterov, penalty, lambda, momentumLimit, stepLimit, true);
  }

  /** Whether the first inner step of a round is measured. */
  public boolean measures() {
    return penalty != Penalty.CONSTANT;
  }

  /** What a boundary in the middle of a run applies. */
  public Merge merge() {
    return !late ? Merge.FRESH : own == OwnShare.NONE ? Merge.STALE : Merge.OWN;
  }

  /** Whether replicas hold different weights at the start of a round. */
  public boolean replicasDiffer() {
    return late && own != OwnShare.NONE;
  }

  /**
   * Writes the scalars of a boundary, in double, rounded once.
   *
   * @param block {@link OuterSentences#BLOCK}
   * @param gain {@link OuterSentences#GAIN}, 1 float
   * @param replicas at least 1
   * @param innerLr learning rate of the inner steps of the round that is applied
   * @param innerSteps of that round
   */
  public void fill(Span block, Span gain, int replicas, double innerLr, int innerSteps) {
    double unit = innerRate ? innerLr : 1;
    put(block, OuterScalar.RATE, rate * unit);
    put(block, OuterScalar.MOMENTUM, momentum);
    put(block, OuterScalar.MOMENTUM_LIMIT, momentumLimit);
    put(block, OuterScalar.STEP_LIMIT, stepLimit);
    put(block, OuterScalar.OWN_SHARE, own.of(replicas));
    put(block, OuterScalar.INNER_STEPS, innerSteps);
    // At a learning rate of 0 nothing was displaced: the momentum decays alone.
    gain.putFloat(0, unit == 0 ? 0f : (float) (1 / (unit * lambda)));
  }

  private static void put(Span block, OuterScalar scalar, double value) {
    block.putFloat(scalar.ordinal(), (float) value);
  }

  /** Rates from which on a direction that the inner steps exhaust in a round diverges. */
  double largestRate(int replicas) {
    double share = late ? own.of(replicas) : 1;
    double ofMean = Stability.largestRate(momentum, nesterov, share);
    boolean drift = late && own == OwnShare.ALL && replicas > 1;
    double ofDifferences =
        drift ? Stability.largestRateOfDifferences(momentum, nesterov) : Double.POSITIVE_INFINITY;
    return lambda * Math.min(ofMean, ofDifferences);
  }

  List<String> warnings(int replicas) {
    double bound = largestRate(replicas);
    if (rate < bound) {
      return List.of();
    }
    String lateness = late ? "a delay of one round" : "no delay";
    String penalties = penalty == Penalty.CONSTANT ? "lambda " + lambda : penalty + " at its least";
    return List.of(
        String.format(
            Locale.ROOT,
            "alpha: expected below %.4g for beta %s, %s, %s and %d replicas (%.4g leaves a tenth of"
                + " room), found %s: what a round of inner steps exhausts diverges",
            bound,
            momentum,
            penalties,
            lateness,
            replicas,
            0.9 * bound,
            rate));
  }
}
