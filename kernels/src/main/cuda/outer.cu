// Outer steps of local-update methods, over tables of tensors (tensors.cuh). One rounding an
// operation and no fused multiply-add: the CPU kernels have the same bits.
#include "reduce.cuh"
#include "tensors.cuh"

// Indices of the block of an outer step (OuterScalar).
#define RATE 0
#define MOMENTUM 1
#define MOMENTUM_LIMIT 2
#define STEP_LIMIT 3
#define OWN_SHARE 4
#define INNER_STEPS 5

// Of what the payload may be (OuterUpdate.Merge); 0 is fresh, 1 stale.
#define OWN 2

/** Comparisons, not a minimum: what is not a number stays so. */
__device__ __forceinline__ float clip(float value, float limit) {
  return value > limit ? limit : value < -limit ? -limit : value;
}

struct OuterBody {
  const Tensor& tensor;
  const float* block;
  float gain;
  bool nesterov;
  int merge;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    float* payload = const_cast<float*>(tensor.source);
    float* kept = reinterpret_cast<float*>(tensor.key);
    float share = block[OWN_SHARE];
    Floats<N> x = load<N>(tensor.first + i);
    Floats<N> m = load<N>(tensor.second + i);
    Floats<N> u = load<N>(payload + i);
    if (merge != 0) {
      Floats<N> d = load<N>(tensor.target + i);
      Floats<N> k{};
      if (merge == OWN) {
        k = load<N>(kept + i);
      }
#pragma unroll
      for (int j = 0; j < N; j++) {
        d.at[j] = __fsub_rn(x.at[j], d.at[j]);
        if (merge == OWN) {
          float others = __fsub_rn(u.at[j], __fmul_rn(share, k.at[j]));
          u.at[j] = __fadd_rn(__fmul_rn(share, d.at[j]), others);
        }
      }
      store<N>(payload + i, d);
      if (merge == OWN) {
        store<N>(kept + i, d);
      }
    }
    float beta = block[MOMENTUM];
#pragma unroll
    for (int j = 0; j < N; j++) {
      float v = __fmul_rn(gain, u.at[j]);
      m.at[j] = clip(__fadd_rn(__fmul_rn(beta, m.at[j]), v), block[MOMENTUM_LIMIT]);
      float step = nesterov ? __fadd_rn(__fmul_rn(beta, m.at[j]), v) : m.at[j];
      x.at[j] = __fsub_rn(x.at[j], __fmul_rn(block[RATE], clip(step, block[STEP_LIMIT])));
    }
    store<N>(tensor.first + i, x);
    store<N>(tensor.second + i, m);
    store<N>(tensor.target + i, x);
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, x);
    }
  }
};

/*
 * target = live weights, source = payload (fp32, also written unless the merge is fresh), first =
 * anchor, second = momentum, copy = bf16 of the live weights or null, key = address of what was kept
 * (own alone); constant = nesterov (0 or 1), merge (0 fresh, 1 stale, 2 own). OuterUpdate.java says
 * what is written. Reads and writes 24 bytes per element fresh, 32 stale, 40 own, and 2 for a copy.
 * Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) outer_tensors(
    const Tensor* tensors, const Piece* pieces, const float* block, const float* gain) {
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<4>(
      tensor, piece,
      OuterBody{tensor, block, gain[0], tensor.constant[0] != 0, (int)tensor.constant[1]});
}

struct DepartBody {
  const Tensor& tensor;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> x = load<N>(tensor.first + i);
    Floats<N> w = load<N>(tensor.source + i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      x.at[j] = __fsub_rn(x.at[j], w.at[j]);
    }
    store<N>(tensor.target + i, x);
  }
};

/* target = first - source: payload, anchor, live weights. Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) depart_tensors(
    const Tensor* tensors, const Piece* pieces) {
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<4>(tensor, piece, DepartBody{tensor});
}

struct DistanceBody {
  const Tensor& tensor;
  double sum;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> a = load<N>(tensor.source + i);
    Floats<N> b = load<N>(tensor.first + i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      double distance = (double)a.at[j] - (double)b.at[j];
      sum = fma(distance, distance, sum);
    }
  }
};

/* partials[piece] = sum of (source - first)^2 over the piece, in fp64. Grid: pieces; block:
   PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) squared_distance_partials(
    const Tensor* tensors, const Piece* pieces, double* partials) {
  __shared__ double scratch[32];
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  DistanceBody body{tensor, 0};
  each_of_piece<4, DistanceBody&>(tensor, piece, body);
  double sum = block_sum(body.sum, scratch);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
  }
}

/* total[0] = sum of partials. Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) squared_distance_total(
    const double* partials, float* total, int parts) {
  __shared__ double scratch[32];
  double sum = 0;
  for (int i = threadIdx.x; i < parts; i += 1024) {
    sum += partials[i];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    total[0] = (float)sum;
  }
}

/* gain[0] = 1 / (1 + rate norm / (steps sqrt(squares) + 1e-12)), 1 where squares is not above 0.
   fp64, one rounding an operation. Grid 1, block 1. */
extern "C" __global__ void staleness_gap(
    const float* norm, const float* squares, const float* block, float* gain) {
  double moved = __dmul_rn((double)block[RATE], (double)norm[0]);
  double reach = __dmul_rn((double)block[INNER_STEPS], sqrt((double)squares[0]));
  double lambda = reach > 0 ? __dadd_rn(1.0, moved / __dadd_rn(reach, 1e-12)) : 1.0;
  gain[0] = (float)(1.0 / lambda);
}

/** Sums over ranks become means, in place; a quotient is rounded once, whatever the number of ranks. */
extern "C" __global__ void __launch_bounds__(256)
    payload_mean(float* sums, long long count, float ranks) {
  long long threads = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    sums[i] = __fdiv_rn(sums[i], ranks);
  }
}
