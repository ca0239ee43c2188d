// Stochastic rounding, bit for bit that of StochasticRounding.java.
#pragma once
#include "philox.cuh"

/** fp32 to bf16, away from zero if the bits that go are more than r in [0, 65535]. */
__device__ __forceinline__ float round_at_random(float x, unsigned r) {
  unsigned bits = __float_as_uint(x);
  unsigned cut = bits & 0xFFFF0000u;
  if ((bits & 0x7F800000u) == 0x7F800000u) {
    return __uint_as_float(x == x ? cut : cut | 0x00400000u);
  }
  return __uint_as_float((bits & 0xFFFFu) > r ? cut + 0x10000u : cut);
}
