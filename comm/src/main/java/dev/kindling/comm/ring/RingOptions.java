package dev.kindling.comm.ring;

import java.time.Duration;
import java.util.Objects;

/**
 * How one rank opens its connections.
 *
 * @param secret shared by the job's ranks; proves that a peer belongs to it
 * @param jobId part of what is signed, with {@code attempt}: a rank of another job or of an earlier
 *     attempt is refused
 * @param attempt number of the attempt
 * @param bind name of a network interface, or an address or host name of this machine; never the
 *     wildcard address
 * @param port listening port, 0 for a free one
 * @param order order of summation
 * @param openTimeout from the rendezvous to the last authenticated connection
 * @param collectiveTimeout longest time in one collective without a byte moved
 * @param tuning buffer sizes and limits
 */
public record RingOptions(
    JobSecret secret,
    String jobId,
    long attempt,
    String bind,
    int port,
    ReductionOrder order,
    Duration openTimeout,
    Duration collectiveTimeout,
    Tuning tuning) {
  public RingOptions {
    Objects.requireNonNull(secret, "secret");
    Objects.requireNonNull(jobId, "jobId");
    Objects.requireNonNull(order, "order");
    Objects.requireNonNull(tuning, "tuning");
    if (bind.isBlank()) {
      throw new IllegalArgumentException("bind: expected an interface or address, found nothing");
    }
    if (port < 0 || port > 65535) {
      throw new IllegalArgumentException("port: expected 0..65535, found " + port);
    }
    if (openTimeout.isNegative() || openTimeout.isZero()) {
      throw new IllegalArgumentException("openTimeout: expected more than 0, found " + openTimeout);
    }
    if (collectiveTimeout.isNegative() || collectiveTimeout.isZero()) {
      throw new IllegalArgumentException(
          "collectiveTimeout: expected more than 0, found " + collectiveTimeout);
    }
  }

  /** Free port, ring order, 60 s to open, 5 minutes without progress, measured tuning. */
  public static RingOptions of(JobSecret secret, String jobId, long attempt, String bind) {
    return new RingOptions(
        secret,
        jobId,
        attempt,
        bind,
        0,
        ReductionOrder.RING,
        Duration.ofSeconds(60),
        Duration.ofMinutes(5),
        Tuning.defaults());
  }

  /** The same with another order of summation. */
  public RingOptions withOrder(ReductionOrder other) {
    return new RingOptions(
        secret, jobId, attempt, bind, port, other, openTimeout, collectiveTimeout, tuning);
  }

  /** The same with a fixed port. */
  public RingOptions withPort(int other) {
    return new RingOptions(
        secret, jobId, attempt, bind, other, order, openTimeout, collectiveTimeout, tuning);
  }

  /** The same with other time-outs. */
  public RingOptions withTimeouts(Duration open, Duration collective) {
    return new RingOptions(secret, jobId, attempt, bind, port, order, open, collective, tuning);
  }

  /** The same with other buffer sizes. */
  public RingOptions withTuning(Tuning other) {
    return new RingOptions(
        secret, jobId, attempt, bind, port, order, openTimeout, collectiveTimeout, other);
  }
}
