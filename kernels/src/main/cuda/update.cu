// Norm of all gradients, clip factor and optimizer updates, over tables of tensors (tensors.cuh).
// The sentences are those of the CPU kernels, fused multiply-adds included, so masters agree with
// them bit for bit when gradients and scale do.
#include "reduce.cuh"
#include "update.cuh"

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
    round_at_random<N>(p, key, first, i);
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

/** As adamw_tensors with moments that are rounded at random, with key and key + 1. */
template <class S, bool ROUNDED>
struct NarrowAdamWBody {
  const Tensor& tensor;
  AdamWNumbers numbers;
  unsigned long long first;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    S* first_moment = reinterpret_cast<S*>(tensor.first);
    S* second_moment = reinterpret_cast<S*>(tensor.second);
    Floats<N> p = ROUNDED ? load<N>(tensor.copy + i) : load<N>(tensor.target + i);
    Floats<N> m = load<N>(first_moment + i);
    Floats<N> v = load<N>(second_moment + i);
    adamw<N>(tensor, numbers, load_source<N>(tensor, numbers.narrow, i), m, v, p);
    round_at_random<N>(m, tensor.key, first, i);
    round_at_random<N>(v, tensor.key + 1, first, i);
    store<N>(first_moment + i, m);
    store<N>(second_moment + i, v);
    if constexpr (ROUNDED) {
      round_at_random<N>(p, (unsigned long long)tensor.target, first, i);
    } else {
      store<N>(tensor.target + i, p);
    }
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, p);
    }
  }
};

template <class S, bool ROUNDED>
__device__ __forceinline__ void narrow_adamw(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  each_of_piece<8>(
      tensor, piece,
      NarrowAdamWBody<S, ROUNDED>{tensor, adamw_numbers(tensor, piece, scale, step), first});
}

/* As adamw_tensors with first and second in bf16, rounded at random by tensor.key and the next one
   after their use: 20 bytes per element instead of 28. Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) adamw_tensors_state_bf16(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  narrow_adamw<bf16, false>(tensors, pieces, scale, step);
}

/* The same numbers in fp32. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) adamw_tensors_state_f32(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  narrow_adamw<float, false>(tensors, pieces, scale, step);
}

/* As adamw_tensors_rounded with first and second in bf16: 14 bytes per element. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) adamw_tensors_rounded_state_bf16(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  narrow_adamw<bf16, true>(tensors, pieces, scale, step);
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

struct LionBody {
  const Tensor& tensor;
  float scale, rate, keep;
  bool narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> g = load_source<N>(tensor, narrow, i);
    Floats<N> p = load<N>(tensor.target + i);
    Floats<N> m = load<N>(tensor.first + i);
    float rest1 = 1 - tensor.constant[0];
    float rest2 = 1 - tensor.constant[1];
#pragma unroll
    for (int j = 0; j < N; j++) {
      float away = __fsub_rn(__fmul_rn(scale, g.at[j]), m.at[j]);
      float mixed = fmaf(rest1, away, m.at[j]);
      float sign = mixed > 0 ? 1.0f : mixed < 0 ? -1.0f : 0.0f;
      p.at[j] = fmaf(p.at[j], keep, -rate * sign);
      m.at[j] = fmaf(rest2, away, m.at[j]);
    }
    store<N>(tensor.first + i, m);
    store<N>(tensor.target + i, p);
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, p);
    }
  }
};

/*
 * target = param, source = gradient (fp32 or bf16), first = m, copy = bf16 param or null; constant =
 * beta1, beta2, weight decay. g = scale gradient; p = p (1 - lr decay) - lr sign(lerp(g, m, beta1));
 * m = lerp(g, m, beta2). scale[0] = 0 leaves everything. Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) lion_tensors(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  float rate = step[LEARNING_RATE];
  float keep = __fsub_rn(1, __fmul_rn(rate, tensor.constant[2]));
  each_of_piece<4>(tensor, piece, LionBody{tensor, scale[0], rate, keep, piece.narrow != 0});
}

/*
 * AdamW with one second moment for each run of `length` elements: v = lerp(mean of g^2, v, beta2).
 * copy = bf16 param or null. scale[0] = 0 leaves everything. Grid: runs; block 256.
 */
extern "C" __global__ void __launch_bounds__(256) adam_mini(
    float* param, const void* gradient, bf16* copy, float* m, float* v, const float* scale,
    const float* step, int length, int is_narrow, float beta1, float beta2, float eps,
    float decay) {
  __shared__ double scratch[32];
  float factor = scale[0];
  if (factor == 0) {
    return;
  }
  long long first = (long long)blockIdx.x * length;
  const float* wide = static_cast<const float*>(gradient) + first;
  const bf16* tight = static_cast<const bf16*>(gradient) + first;
  double sum = 0;
  for (int i = threadIdx.x; i < length; i += 256) {
    double g = __fmul_rn(factor, is_narrow ? widen(tight[i]) : wide[i]);
    sum = fma(g, g, sum);
  }
  float mean = (float)(block_sum(sum, scratch) / length);
  float before = v[blockIdx.x];
  float now = fmaf(1 - beta2, __fsub_rn(mean, before), before);
  float rate = step[LEARNING_RATE];
  float keep = __fsub_rn(1, __fmul_rn(rate, decay));
  float step_size = rate / step[BIAS_CORRECTION1];
  float root_scale = (float)(1.0 / sqrt((double)step[BIAS_CORRECTION2]));
  float root = fmaf(sqrtf(now), root_scale, eps);
  for (int i = threadIdx.x; i < length; i += 256) {
    float g = __fmul_rn(factor, is_narrow ? widen(tight[i]) : wide[i]);
    float old = m[first + i];
    float moment = fmaf(1 - beta1, __fsub_rn(g, old), old);
    float p = fmaf(param[first + i], keep, -(__fmul_rn(step_size, moment) / root));
    m[first + i] = moment;
    param[first + i] = p;
    if (copy != nullptr) {
      copy[first + i] = narrow<bf16>(p);
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    v[blockIdx.x] = now;
  }
}
