package dev.kindling.worker.data;

/**
 * Which sequence was fed at which place of a global batch, as a number whose sum over a batch tells
 * batches apart: the sum modulo 2^64 does not depend on who fed what, nor on how many ranks did.
 */
public final class SampleDigest {
  private SampleDigest() {}

  /**
   * @param place in the global batch, from 0
   * @param sample index of the sequence in its split, negative for padding
   */
  public static long of(long place, long sample) {
    return SampleOrder.mix(SampleOrder.mix(place) ^ sample);
  }
}
