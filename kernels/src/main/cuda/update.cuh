// The AdamW sentence and rounding at random, for kernels over tables of tensors: those of the CPU
// kernels, fused multiply-adds included.
#pragma once
#include "round.cuh"
#include "tensors.cuh"

// Indices of the step block (StepScalar).
#define LEARNING_RATE 0
#define BIAS_CORRECTION1 1
#define BIAS_CORRECTION2 2
#define CLIP_NORM 3
#define STEP 4

/** Rounds elements i to i + N - 1 of a step: StochasticRounding.java, bit for bit. */
template <int N>
__device__ __forceinline__ void round_at_random(
    Floats<N>& values, unsigned long long key, unsigned long long first, long long i) {
  Counter block = philox((first + i) >> 3, key);
#pragma unroll
  for (int j = 0; j < N; j++) {
    int lane = (int)((i + j) & 7);
    unsigned word = block.word[0];
    word = lane >> 1 == 1 ? block.word[1] : word;
    word = lane >> 1 == 2 ? block.word[2] : word;
    word = lane >> 1 == 3 ? block.word[3] : word;
    values.at[j] = round_at_random(values.at[j], word >> 16 * (lane & 1) & 0xFFFFu);
  }
}

struct AdamWNumbers {
  float scale, keep, step_size, root_scale;
  bool narrow;
};

/** Updates moments m, v and parameters p by gradients g. */
template <int N>
__device__ __forceinline__ void adamw(
    const Tensor& tensor, const AdamWNumbers& numbers, const Floats<N>& g, Floats<N>& m,
    Floats<N>& v, Floats<N>& p) {
  float rest1 = 1 - tensor.constant[0];
  float rest2 = 1 - tensor.constant[1];
#pragma unroll
  for (int j = 0; j < N; j++) {
    float scaled = __fmul_rn(numbers.scale, g.at[j]);
    m.at[j] = fmaf(rest1, __fsub_rn(scaled, m.at[j]), m.at[j]);
    v.at[j] = fmaf(rest2, fmaf(scaled, scaled, -v.at[j]), v.at[j]);
    float root = fmaf(sqrtf(v.at[j]), numbers.root_scale, tensor.constant[2]);
    p.at[j] = fmaf(p.at[j], numbers.keep, -(__fmul_rn(numbers.step_size, m.at[j]) / root));
  }
}

/** Updates the moments of elements i to i + N - 1 in memory and their parameters in p. */
template <int N>
__device__ __forceinline__ void adamw(
    const Tensor& tensor, const AdamWNumbers& numbers, long long i, Floats<N>& p) {
  Floats<N> g = load_source<N>(tensor, numbers.narrow, i);
  Floats<N> m = load<N>(tensor.first + i);
  Floats<N> v = load<N>(tensor.second + i);
  adamw<N>(tensor, numbers, g, m, v, p);
  store<N>(tensor.first + i, m);
  store<N>(tensor.second + i, v);
}

/** Of one tensor in this step; every thread of the block calls it. */
__device__ __forceinline__ AdamWNumbers adamw_numbers(
    const Tensor& tensor, const Piece& piece, const float* scale, const float* step) {
  __shared__ float root_scale;
  if (threadIdx.x == 0) {
    root_scale = (float)(1.0 / sqrt((double)step[BIAS_CORRECTION2]));
  }
  __syncthreads();
  float rate = step[LEARNING_RATE];
  float keep = __fsub_rn(1, __fmul_rn(rate, tensor.constant[3]));
  return {scale[0], keep, rate / step[BIAS_CORRECTION1], root_scale, piece.narrow != 0};
}
