package dev.kindling.kernels.random;

import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Normal;
import dev.kindling.kernels.graph.Ones;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Uniform;
import dev.kindling.kernels.memory.Span;
import java.nio.charset.StandardCharsets;
import java.util.stream.LongStream;

/** First values of parameters. Element i depends only on seed, parameter name and i. */
public final class Initialization {
  private static final long PIECE_PAIRS = 1L << 16;

  private Initialization() {}

  /** Fills the span of this parameter: fp32, {@code param.shape()}. */
  public static void fill(Param param, long seed, Span span) {
    long elements = param.shape().elements();
    if (span.bytes() != elements * Float.BYTES) {
      throw new IllegalArgumentException(
          param.name() + ": expected " + elements * Float.BYTES + " bytes, found " + span.bytes());
    }
    fill(param, seed, 0, span);
  }

  /** Fills the span of a run of the parameter's elements that begins with element {@code from}. */
  public static void fill(Param param, long seed, long from, Span span) {
    long elements = span.bytes() / Float.BYTES;
    if (from < 0 || from + elements > param.shape().elements()) {
      throw new IllegalArgumentException(
          param.name()
              + ": expected a run inside "
              + param.shape()
              + ", found "
              + elements
              + " from "
              + from);
    }
    Init init = param.init();
    if (init instanceof Normal normal) {
      normal(key(seed, param.name()), normal.std(), from, span);
    } else if (init instanceof Uniform uniform) {
      long key = key(seed, param.name());
      for (long i = 0; i < elements; i++) {
        double unit = Philox.uniform(key, from + i);
        span.putFloat(i, (float) (uniform.bound() * (2 * unit - 1)));
      }
    } else {
      float value = init instanceof Ones ? 1f : 0f;
      for (long i = 0; i < elements; i++) {
        span.putFloat(i, value);
      }
    }
  }

  /** On all cores: a billion elements take one core a minute and a half. */
  private static void normal(long key, double std, long from, Span span) {
    long firstPair = from >>> 1;
    long endPair = (from + span.bytes() / Float.BYTES + 1) >>> 1;
    LongStream.range(0, (endPair - firstPair + PIECE_PAIRS - 1) / PIECE_PAIRS)
        .map(piece -> firstPair + piece * PIECE_PAIRS)
        .parallel()
        .forEach(
            first -> pairs(first, Math.min(first + PIECE_PAIRS, endPair), key, std, from, span));
  }

  /** Pairs at a time: the same numbers as {@link Philox#normal} one by one, at half the cost. */
  private static void pairs(long first, long endPair, long key, double std, long from, Span span) {
    int[] words = new int[4];
    long end = from + span.bytes() / Float.BYTES;
    for (long pair = first; pair < endPair; pair++) {
      words[0] = (int) pair;
      words[1] = (int) (pair >>> 32);
      words[2] = 0;
      words[3] = 0;
      Philox.block(words, key);
      double radius = Philox.radius(words);
      double angle = Philox.angle(words);
      if (2 * pair >= from) {
        span.putFloat(2 * pair - from, (float) (std * (radius * StrictMath.cos(angle))));
      }
      if (2 * pair + 1 < end) {
        span.putFloat(2 * pair + 1 - from, (float) (std * (radius * StrictMath.sin(angle))));
      }
    }
  }

  /** Key of a parameter: seed scrambled by splitmix64, name hashed by FNV-1a. */
  public static long key(long seed, String name) {
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
