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

/** N consecutive elements as fp32. */
template <int N>
struct Floats {
  float at[N];
};

/** N consecutive elements as they lie in memory, for values that wait in registers. */
template <class T, int N>
struct Raw;
template <>
struct Raw<float, 1> {
  float word;
};
template <>
struct Raw<bf16, 1> {
  bf16 word;
};
template <>
struct Raw<float, 4> {
  float4 word;
};
template <>
struct Raw<bf16, 4> {
  uint2 word;
};
template <>
struct Raw<bf16, 8> {
  uint4 word;
};
template <>
struct Raw<float, 8> {
  float4 word, next;
};

/**
 * N = 8 moves 16 bytes per access (bf16: one access, fp32: two) and wants 16-byte alignment, as does
 * N = 4 of fp32; N = 4 of bf16 moves 8 and wants 8; N = 1 wants none.
 */
template <int N, class T>
__device__ __forceinline__ Raw<T, N> load_raw(const T* from) {
  Raw<T, N> raw;
  raw.word = *reinterpret_cast<const decltype(raw.word)*>(from);
  if constexpr (sizeof(T) * N == 32) {
    raw.next = *reinterpret_cast<const float4*>(from + 4);
  }
  return raw;
}

template <class T>
__device__ __forceinline__ Floats<1> unpack(const Raw<T, 1>& raw) {
  return {{widen(raw.word)}};
}
__device__ __forceinline__ Floats<4> unpack(const Raw<float, 4>& raw) {
  return {{raw.word.x, raw.word.y, raw.word.z, raw.word.w}};
}
__device__ __forceinline__ Floats<4> unpack(const Raw<bf16, 4>& raw) {
  return {{low(raw.word.x), high(raw.word.x), low(raw.word.y), high(raw.word.y)}};
}
__device__ __forceinline__ Floats<8> unpack(const Raw<float, 8>& raw) {
  return {{raw.word.x, raw.word.y, raw.word.z, raw.word.w, raw.next.x, raw.next.y, raw.next.z,
           raw.next.w}};
}
__device__ __forceinline__ Floats<8> unpack(const Raw<bf16, 8>& raw) {
  return {{low(raw.word.x), high(raw.word.x), low(raw.word.y), high(raw.word.y), low(raw.word.z),
           high(raw.word.z), low(raw.word.w), high(raw.word.w)}};
}

template <int N, class T>
__device__ __forceinline__ Floats<N> load(const T* from) {
  return unpack(load_raw<N>(from));
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

__device__ __forceinline__ uint4 pack(const Floats<8>& values) {
  return make_uint4(
      narrow2(values.at[0], values.at[1]), narrow2(values.at[2], values.at[3]),
      narrow2(values.at[4], values.at[5]), narrow2(values.at[6], values.at[7]));
}

template <int N>
__device__ __forceinline__ void store(bf16* to, const Floats<N>& values) {
  if constexpr (N == 1) {
    *to = narrow<bf16>(values.at[0]);
  } else if constexpr (N == 4) {
    *reinterpret_cast<uint2*>(to) = make_uint2(
        narrow2(values.at[0], values.at[1]), narrow2(values.at[2], values.at[3]));
  } else {
    *reinterpret_cast<uint4*>(to) = pack(values);
  }
}

/** Whether rows of this pointer and stride (elements) can be moved 8 elements at a time. */
template <class T>
__device__ __forceinline__ bool aligned8(const T* pointer, long long stride) {
  return ((unsigned long long)pointer & 15) == 0 && stride % 8 == 0;
}
