package dev.kindling.worker.evaluate;

/**
 * What tokens cost a model.
 *
 * @param nats sum of -ln p over the tokens
 * @param tokens how many were predicted
 */
public record Loss(double nats, long tokens) {
  public static final Loss NONE = new Loss(0, 0);

  Loss plus(Loss other) {
    return new Loss(nats + other.nats, tokens + other.tokens);
  }

  /** Nats per token; NaN of none. */
  public double mean() {
    return nats / tokens;
  }
}
