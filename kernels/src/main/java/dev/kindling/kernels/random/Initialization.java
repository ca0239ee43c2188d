package dev.kindling.kernels.random;

import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Normal;
import dev.kindling.kernels.graph.Ones;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import java.nio.charset.StandardCharsets;

/** First values of parameters. Element i depends only on seed, parameter name and i. */
public final class Initialization {
  private Initialization() {}

  /** Fills the span of this parameter: fp32, {@code param.shape()}. */
  public static void fill(Param param, long seed, Span span) {
    long elements = param.shape().elements();
    if (span.bytes() != elements * Float.BYTES) {
      throw new IllegalArgumentException(
          param.name() + ": expected " + elements * Float.BYTES + " bytes, found " + span.bytes());
    }
    Init init = param.init();
    if (init instanceof Normal normal) {
      normal(key(seed, param.name()), normal.std(), span, elements);
    } else {
      float value = init instanceof Ones ? 1f : 0f;
      for (long i = 0; i < elements; i++) {
        span.putFloat(i, value);
      }
    }
  }

  /** Pairs at a time: the same numbers as {@link Philox#normal} one by one, at half the cost. */
  private static void normal(long key, double std, Span span, long elements) {
    int[] words = new int[4];
    for (long i = 0; i < elements; i += 2) {
      long counter = i >>> 1;
      words[0] = (int) counter;
      words[1] = (int) (counter >>> 32);
      words[2] = 0;
      words[3] = 0;
      Philox.block(words, key);
      double radius = Philox.radius(words);
      double angle = Philox.angle(words);
      span.putFloat(i, (float) (std * (radius * StrictMath.cos(angle))));
      if (i + 1 < elements) {
        span.putFloat(i + 1, (float) (std * (radius * StrictMath.sin(angle))));
      }
    }
  }

  /** Key of a parameter: seed scrambled by splitmix64, name hashed by FNV-1a. */
  static long key(long seed, String name) {
    long mixed = seed + 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    mixed ^= mixed >>> 31;
    long hash = 0xCBF29CE484222325L;
    for (byte letter : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (letter & 0xFF)) * 0x100000001B3L;
    }
    return mixed ^ hash;
  }
}
