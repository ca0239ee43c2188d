// A direction from the gradient, what is made of it, and a step along it. Dense tensors, 2048 elements
// a block of 256 threads, 8 at a time while all of them exist.
#include "update.cuh"

#define FLAT_THREADS 256

/** Elements i to i + N - 1 of fp32 or bf16 memory. */
template <int N>
__device__ __forceinline__ Floats<N> load_any(const void* from, int is_narrow, long long i) {
  return is_narrow ? load<N>(static_cast<const bf16*>(from) + i)
                   : load<N>(static_cast<const float*>(from) + i);
}

/** Calls body.apply<N>(i) for this thread's elements of a tensor. */
template <class Body>
__device__ __forceinline__ void each_of_flat(long long elements, Body body) {
  long long i = ((long long)blockIdx.x * FLAT_THREADS + threadIdx.x) * 8;
  if (i + 8 <= elements) {
    body.template apply<8>(i);
  } else {
    for (; i < elements; i++) {
      body.template apply<1>(i);
    }
  }
}

template <class T>
struct MomentumBody {
  const void* gradient;
  float* buffer;
  T* direction;
  float scale, rest;
  int nesterov, is_narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> g = load_any<N>(gradient, is_narrow, i);
    Floats<N> mean = load<N>(buffer + i);
    Floats<N> toward;
#pragma unroll
    for (int j = 0; j < N; j++) {
      float scaled = __fmul_rn(scale, g.at[j]);
      mean.at[j] = fmaf(rest, __fsub_rn(scaled, mean.at[j]), mean.at[j]);
      float ahead = fmaf(rest, __fsub_rn(scaled, mean.at[j]), mean.at[j]);
      toward.at[j] = scale == 0 ? 0 : nesterov ? ahead : mean.at[j];
    }
    if (scale != 0) {
      store<N>(buffer + i, mean);
    }
    store<N>(direction + i, toward);
  }
};

/* g = scale gradient; buffer = lerp(g, buffer, momentum); direction = nesterov ? lerp(g, buffer,
   momentum) : buffer. scale[0] = 0: the buffer stays, direction 0. Grid: ceil(elements / 2048). */
#define MOMENTUM(SUFFIX, T)                                                                       \
  extern "C" __global__ void __launch_bounds__(FLAT_THREADS) momentum_##SUFFIX(                   \
      const void* gradient, float* buffer, const float* scale, T* direction, long long elements,  \
      float momentum, int nesterov, int is_narrow) {                                              \
    each_of_flat(                                                                                 \
        elements, MomentumBody<T>{gradient, buffer, direction, scale[0], 1 - momentum, nesterov,  \
                                  is_narrow});                                                    \
  }
MOMENTUM(bf16, bf16)
MOMENTUM(f32, float)

template <class T>
struct AdamBody {
  const float* gradient;
  float* m;
  float* v;
  T* direction;
  float scale, rest1, rest2, eps, correction1, correction2;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> toward{};
    if (scale != 0) {
      Floats<N> g = load<N>(gradient + i);
      Floats<N> first = load<N>(m + i);
      Floats<N> second = load<N>(v + i);
#pragma unroll
      for (int j = 0; j < N; j++) {
        float scaled = __fmul_rn(scale, g.at[j]);
        first.at[j] = fmaf(rest1, __fsub_rn(scaled, first.at[j]), first.at[j]);
        second.at[j] = fmaf(rest2, fmaf(scaled, scaled, -second.at[j]), second.at[j]);
        float root = sqrtf(second.at[j] / correction2);
        toward.at[j] = first.at[j] / correction1 / (root + eps);
      }
      store<N>(m + i, first);
      store<N>(v + i, second);
    }
    store<N>(direction + i, toward);
  }
};

/* g = scale gradient; m, v = lerps of g and g^2; direction = (m / c1) / (sqrt(v / c2) + eps).
   scale[0] = 0: m and v stay, direction 0. Grid: ceil(elements / 2048). */
#define ADAM_DIRECTION(SUFFIX, T)                                                                 \
  extern "C" __global__ void __launch_bounds__(FLAT_THREADS) adam_direction_##SUFFIX(             \
      const float* gradient, float* m, float* v, const float* scale, const float* step,           \
      T* direction, long long elements, float beta1, float beta2, float eps) {                    \
    each_of_flat(                                                                                 \
        elements, AdamBody<T>{gradient, m, v, direction, scale[0], 1 - beta1, 1 - beta2, eps,     \
                              step[BIAS_CORRECTION1], step[BIAS_CORRECTION2]});                   \
  }
ADAM_DIRECTION(bf16, bf16)
ADAM_DIRECTION(f32, float)

template <class T>
struct NormalizeBody {
  const void* x;
  T* y;
  float norm;
  int is_narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> value = load_any<N>(x, is_narrow, i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      value.at[j] = value.at[j] / norm;
    }
    store<N>(y + i, value);
  }
};

/* y = x / max(norm, least). Grid: ceil(elements / 2048). */
#define NORMALIZE(SUFFIX, T)                                                                      \
  extern "C" __global__ void __launch_bounds__(FLAT_THREADS) normalize_##SUFFIX(                  \
      const void* x, const float* norm, T* y, long long elements, float least, int is_narrow) {   \
    each_of_flat(elements, NormalizeBody<T>{x, y, fmaxf(norm[0], least), is_narrow});             \
  }
NORMALIZE(bf16, bf16)
NORMALIZE(f32, float)

template <class T>
struct WeightedSumBody {
  const void* x;
  const void* y;
  T* z;
  float a, b;
  int narrow_x, narrow_y;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> sum = load_any<N>(x, narrow_x, i);
    if (b == 0) {
#pragma unroll
      for (int j = 0; j < N; j++) {
        sum.at[j] = __fmul_rn(a, sum.at[j]);
      }
    } else {
      Floats<N> other = load_any<N>(y, narrow_y, i);
#pragma unroll
      for (int j = 0; j < N; j++) {
        sum.at[j] = fmaf(a, sum.at[j], __fmul_rn(b, other.at[j]));
      }
    }
    store<N>(z + i, sum);
  }
};

/* z = a x + b y; with b = 0 y is not read. Grid: ceil(elements / 2048). */
#define WEIGHTED_SUM(SUFFIX, T)                                                                   \
  extern "C" __global__ void __launch_bounds__(FLAT_THREADS) weighted_sum_##SUFFIX(               \
      const void* x, const void* y, T* z, long long elements, float a, float b, int narrow_x,     \
      int narrow_y) {                                                                             \
    each_of_flat(elements, WeightedSumBody<T>{x, y, z, a, b, narrow_x, narrow_y});                \
  }
WEIGHTED_SUM(bf16, bf16)
WEIGHTED_SUM(f32, float)

struct DescendBody {
  float* param;
  const void* direction;
  bf16* copy;
  float keep, far;
  int is_narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> p = load<N>(param + i);
    Floats<N> u = load_any<N>(direction, is_narrow, i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      p.at[j] = fmaf(-far, u.at[j], __fmul_rn(p.at[j], keep));
    }
    store<N>(param + i, p);
    if (copy != nullptr) {
      store<N>(copy + i, p);
    }
  }
};

/* param = param (1 - lr decay) - lr factor direction; copy = bf16 param or null. scale[0] = 0 leaves
   it. Grid: ceil(elements / 2048). */
extern "C" __global__ void __launch_bounds__(FLAT_THREADS) descend(
    float* param, const void* direction, bf16* copy, const float* scale, const float* step,
    long long elements, float factor, float decay, int is_narrow) {
  if (scale[0] == 0) {
    return;
  }
  float rate = step[LEARNING_RATE];
  float keep = __fsub_rn(1, __fmul_rn(rate, decay));
  each_of_flat(
      elements, DescendBody{param, direction, copy, keep, __fmul_rn(rate, factor), is_narrow});
}
