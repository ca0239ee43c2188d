// Norm of all gradients, clip factor and optimizer updates, over tables of tensors (tensors.cuh).
// The sentences are those of the CPU kernels, fused multiply-adds included, so masters agree with
// them bit for bit when gradients and scale do.
#include "philox.cuh"
#include "reduce.cuh"
#include "round.cuh"
#include "tensors.cuh"

// Indices of the step block (StepScalar).
#define LEARNING_RATE 0
#define BIAS_CORRECTION1 1
#define BIAS_CORRECTION2 2
#define CLIP_NORM 3
#define STEP 4

struct SquaresBody {
  const Tensor& tensor;
  bool narrow;
  double sum;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> v = load_source<N>(tensor, narrow, i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      sum = fma((double)v.at[j], (double)v.at[j], sum);
    }
  }
};

/* partials[piece] = sum of squares of the piece of `source`, fp32 or bf16, summed in fp64.
   Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) global_norm_partials(
    const Tensor* tensors, const Piece* pieces, double* partials) {
  __shared__ double scratch[32];
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  SquaresBody body{tensor, piece.narrow != 0, 0};
  each_of_piece<8, SquaresBody&>(tensor, piece, body);
  double sum = block_sum(body.sum, scratch);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
  }
}

/* norm[0] = sqrt(sum of partials) / token_count[0], or / 1 if token_count is null. Grid 1, block
   1024. */
extern "C" __global__ void __launch_bounds__(1024) global_norm_total(
    const double* partials, const float* token_count, float* norm, int parts) {
  __shared__ double scratch[32];
  double sum = 0;
#pragma unroll 4
  for (int i = threadIdx.x; i < parts; i += 1024) {
    sum += partials[i];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    norm[0] = (float)(sqrt(sum) / (token_count != nullptr ? token_count[0] : 1.0f));
  }
}

__device__ __forceinline__ bool is_finite(float x) { return fabsf(x) <= 3.402823466e38f; }

/* scale[0] = min(1, clip / (norm + 1e-6)) / tokens; clip <= 0: 1 / tokens; 0 when norm or loss_sum
   (unless null) is not finite or no token counts. Grid 1, block 1. */
extern "C" __global__ void clip_scale(
    const float* norm, const float* token_count, const float* step, const float* loss_sum,
    float* scale) {
  float tokens = token_count[0];
  float clip = step[CLIP_NORM];
  bool usable = is_finite(norm[0]) && (loss_sum == nullptr || is_finite(loss_sum[0])) && tokens > 0;
  float factor = clip > 0 ? fminf(1.0f, clip / (norm[0] + 1e-6f)) : 1.0f;
  scale[0] = usable ? factor / tokens : 0.0f;
}

struct AdamWNumbers {
  float scale, keep, step_size, root_scale;
  bool narrow;
};

/** Updates the moments of elements i to i + N - 1 in memory and their parameters in p. */
template <int N>
__device__ __forceinline__ void adamw(
    const Tensor& tensor, const AdamWNumbers& numbers, long long i, Floats<N>& p) {
  Floats<N> g = load_source<N>(tensor, numbers.narrow, i);
  Floats<N> m = load<N>(tensor.first + i);
  Floats<N> v = load<N>(tensor.second + i);
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

struct AdamWBody {
  const Tensor& tensor;
  AdamWNumbers numbers;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> p = load<N>(tensor.target + i);
    adamw<N>(tensor, numbers, i, p);
    store<N>(tensor.target + i, p);
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, p);
    }
  }
};

/*
 * target = param, source = gradient (fp32 or bf16), first = m, second = v, copy = bf16 param or
 * null; constant = beta1, beta2, eps, weight decay. g = scale gradient; m = lerp(g, m, beta1);
 * v = lerp(g^2, v, beta2); p = p (1 - lr decay) - (lr / c1) m / (sqrt(v) / sqrt(c2) + eps).
 * scale[0] = 0 leaves everything. Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) adamw_tensors(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<4>(tensor, piece, AdamWBody{tensor, adamw_numbers(tensor, piece, scale, step)});
}

struct RoundedAdamWBody {
  const Tensor& tensor;
  AdamWNumbers numbers;
  unsigned long long key, first;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> p = load<N>(tensor.copy + i);
    adamw<N>(tensor, numbers, i, p);
    Counter block = philox((first + i) >> 3, key);
#pragma unroll
    for (int j = 0; j < N; j++) {
      int lane = (int)((i + j) & 7);
      unsigned word = block.word[0];
      word = lane >> 1 == 1 ? block.word[1] : word;
      word = lane >> 1 == 2 ? block.word[2] : word;
      word = lane >> 1 == 3 ? block.word[3] : word;
      p.at[j] = round_at_random(p.at[j], word >> 16 * (lane & 1) & 0xFFFFu);
    }
    store<N>(tensor.copy + i, p);
  }
};

/*
 * As adamw_tensors for parameters without a master: copy = bf16 param, target = key of the rounding.
 * Reads and writes 22 bytes per element, 20 with a bf16 gradient. r of element i is the 16-bit lane
 * i mod 8 of Philox block (step 2^32 + i) / 8: StochasticRounding.java, bit for bit. Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) adamw_tensors_rounded(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  unsigned long long key = (unsigned long long)tensor.target;
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  each_of_piece<8>(
      tensor, piece,
      RoundedAdamWBody{tensor, adamw_numbers(tensor, piece, scale, step), key, first});
}

struct SgdBody {
  const Tensor& tensor;
  float scale, rate, momentum, decay;
  bool nesterov, narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> g = load_source<N>(tensor, narrow, i);
    Floats<N> p = load<N>(tensor.target + i);
    Floats<N> b{};
    if (momentum != 0) {
      b = load<N>(tensor.first + i);
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
      float d = fmaf(scale, g.at[j], __fmul_rn(decay, p.at[j]));
      if (momentum != 0) {
        b.at[j] = fmaf(momentum, b.at[j], d);
        d = nesterov ? fmaf(momentum, b.at[j], d) : b.at[j];
      }
      p.at[j] = fmaf(-rate, d, p.at[j]);
    }
    if (momentum != 0) {
      store<N>(tensor.first + i, b);
    }
    store<N>(tensor.target + i, p);
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, p);
    }
  }
};

/*
 * target = param, source = gradient (fp32 or bf16), first = momentum buffer (unused if momentum is
 * 0), copy = bf16 param or null; constant = momentum, weight decay, nesterov (0 or 1). g = scale gradient + decay p;
 * buffer = momentum buffer + g; p -= lr (nesterov ? g + momentum buffer : buffer).
 * scale[0] = 0 leaves everything. Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) sgd_tensors(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<4>(
      tensor, piece,
      SgdBody{tensor, scale[0], step[LEARNING_RATE], tensor.constant[0], tensor.constant[1],
              tensor.constant[2] != 0, piece.narrow != 0});
}
