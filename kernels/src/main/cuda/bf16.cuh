// bf16 storage, fp32 arithmetic, and 16-byte accesses, without any header of the toolkit.
#pragma once

/** Upper half of an fp32 number. */
struct alignas(2) bf16 {
  unsigned short bits;
};

/** Exact. */
__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ __forceinline__ float widen(float x) { return x; }

/** Rounds to nearest, ties to even; NaN stays NaN. */
template <class T>
__device__ __forceinline__ T narrow(float x);
template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 narrow<bf16>(float x) {
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}

/** Two bf16 in one register: `low` in the lower half, which comes first in memory. */
__device__ __forceinline__ unsigned narrow2(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ __forceinline__ float low(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }


/**
 * N consecutive elements as fp32 in registers; N = 8 moves 16 bytes per access (bf16: one, fp32: two)
 * and wants 16-byte alignment, N = 1 wants none. `stream` marks data that is read or written once,
 * so that it leaves the cache first.
 */
template <int N>
struct Floats {
  float at[N];
};

template <int N>
__device__ __forceinline__ Floats<N> load(const float* from) {
  static_assert(N == 1 || N % 4 == 0, "one element or whole 16-byte words");
  Floats<N> result;
  if constexpr (N == 1) {
    result.at[0] = *from;
  } else {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      float4 part = *reinterpret_cast<const float4*>(from + i);
      result.at[i] = part.x;
      result.at[i + 1] = part.y;
      result.at[i + 2] = part.z;
      result.at[i + 3] = part.w;
    }
  }
  return result;
}

template <int N>
__device__ __forceinline__ Floats<N> load(const bf16* from) {
  static_assert(N == 1 || N == 8, "one element or one 16-byte word");
  Floats<N> result;
  if constexpr (N == 1) {
    result.at[0] = widen(*from);
  } else {
    uint4 part = *reinterpret_cast<const uint4*>(from);
    unsigned words[4] = {part.x, part.y, part.z, part.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      result.at[2 * i] = low(words[i]);
      result.at[2 * i + 1] = high(words[i]);
    }
  }
  return result;
}

template <int N>
__device__ __forceinline__ void store(float* to, const Floats<N>& values) {
  if constexpr (N == 1) {
    *to = values.at[0];
  } else {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      *reinterpret_cast<float4*>(to + i) =
          make_float4(values.at[i], values.at[i + 1], values.at[i + 2], values.at[i + 3]);
    }
  }
}

template <int N>
__device__ __forceinline__ void store(bf16* to, const Floats<N>& values) {
  if constexpr (N == 1) {
    *to = narrow<bf16>(values.at[0]);
  } else {
    *reinterpret_cast<uint4*>(to) = make_uint4(
        narrow2(values.at[0], values.at[1]), narrow2(values.at[2], values.at[3]),
        narrow2(values.at[4], values.at[5]), narrow2(values.at[6], values.at[7]));
  }
}

/** Whether rows of this pointer and stride (elements) can be moved 8 elements at a time. */
template <class T>
__device__ __forceinline__ bool aligned8(const T* pointer, int stride) {
  return ((unsigned long long)pointer & 15) == 0 && stride % 8 == 0;
}
