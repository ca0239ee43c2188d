// APOLLO behind its sketches: Adam's moments of them, and the updates that they scale.
#include "reduce.cuh"
#include "tensors.cuh"

// Indices of the step block (StepScalar).
#define LEARNING_RATE 0
#define BIAS_CORRECTION1 1
#define BIAS_CORRECTION2 2

#define THREADS 256
/** Keeps a channel without gradient finite (SketchMoments.TINY). */
#define TINY 1e-8

/**
 * 72 bytes, mirrored by Java. sketch, m, v: [channels, rank]; squares, factors: [channels]; norms: [channels, 3]
 * for sketch_sums; lanes: threads of a channel, a power of two up to 32.
 */
struct SketchTensor {
  const float* sketch;
  const float* squares;
  float* m;
  float* v;
  float* factors;
  float* norms;
  float* sums;
  int channels;
  int rank;
  int lanes;
  float copies;
};

/** N numbers of a channel with their moments. */
template <int N>
struct Moments {
  Floats<N> r, m, v;
  __device__ __forceinline__ void load_from(const SketchTensor& tensor, long long i) {
    r = load<N>(tensor.sketch + i);
    m = load<N>(tensor.m + i);
    v = load<N>(tensor.v + i);
  }
};

struct Stretch {
  float factor, beta1, beta2, eps;
  float after, before;
  template <int N>
  __device__ __forceinline__ void apply(const SketchTensor& tensor, long long i, Moments<N>& own) {
#pragma unroll
    for (int j = 0; j < N; j++) {
      float x = __fmul_rn(factor, own.r.at[j]);
      float m = fmaf(1 - beta1, __fsub_rn(x, own.m.at[j]), own.m.at[j]);
      float v = fmaf(1 - beta2, fmaf(x, x, -own.v.at[j]), own.v.at[j]);
      float stretched = m / (sqrtf(v) + eps);
      after = fmaf(stretched, stretched, after);
      before = fmaf(x, x, before);
      own.m.at[j] = m;
      own.v.at[j] = v;
    }
    store<N>(tensor.m + i, own.m);
    store<N>(tensor.v + i, own.v);
  }

  /**
   * The thread's numbers of a channel, none if it has no channel. Two loads are under way before the first store,
   * and before the block knows its factor: a compiler moves no load over a store that may meet it.
   */
  template <int N>
  __device__ __forceinline__ void channel(
      const SketchTensor& tensor, long long begin, int lane, bool any, const float* scale,
      float* shared) {
    int apart = N * tensor.lanes;
    int i = any ? N * lane : tensor.rank;
    Moments<N> first, second;
    if (i < tensor.rank) {
      first.load_from(tensor, begin + i);
    }
    if (i + apart < tensor.rank) {
      second.load_from(tensor, begin + i + apart);
    }
    if (threadIdx.x == 0) {
      *shared = (float)(scale[0] / sqrt((double)tensor.rank));
    }
    __syncthreads();
    factor = *shared;
    while (factor != 0 && i < tensor.rank) {
      apply<N>(tensor, begin + i, first);
      if (i + apart < tensor.rank) {
        apply<N>(tensor, begin + i + apart, second);
      }
      i += 2 * apart;
      if (i < tensor.rank) {
        first.load_from(tensor, begin + i);
      }
      if (i + apart < tensor.rank) {
        second.load_from(tensor, begin + i + apart);
      }
    }
  }
};

/*
 * SketchMoments, all tensors of equal constants: m and v follow scale / sqrt(rank) sketch, factors[j] = |R~_j| /
 * (|R_j| + TINY), norms[j] = (|R~_j|^2, |R_j|^2, scale^2 squares[j], times factors[j]^2 if per_channel).
 * scale[0] = 0 leaves m and v. Grid (ceil(largest channels * lanes / THREADS), tensors), block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_moments(
    const SketchTensor* tensors, const float* scale, float beta1, float beta2, float eps,
    int per_channel) {
  __shared__ float shared;
  SketchTensor tensor = tensors[blockIdx.y];
  if (blockIdx.x * (THREADS / tensor.lanes) >= tensor.channels) {
    return;
  }
  int channel = (blockIdx.x * THREADS + threadIdx.x) / tensor.lanes;
  int lane = threadIdx.x % tensor.lanes;
  bool any = channel < tensor.channels;
  long long begin = (long long)channel * tensor.rank;
  Stretch body{0, beta1, beta2, eps, 0, 0};
  if (tensor.rank % 4 == 0) {
    body.channel<4>(tensor, begin, lane, any, scale, &shared);
  } else {
    body.channel<1>(tensor, begin, lane, any, scale, &shared);
  }
  float after = body.after, before = body.before;
  for (int apart = tensor.lanes / 2; apart > 0; apart /= 2) {
    after += __shfl_xor_sync(ALL_LANES, after, apart);
    before += __shfl_xor_sync(ALL_LANES, before, apart);
  }
  if (channel < tensor.channels && lane == 0) {
    float ratio = (float)(sqrt((double)after) / (sqrt((double)before) + TINY));
    float length = __fmul_rn(__fmul_rn(scale[0], scale[0]), tensor.squares[channel]);
    tensor.factors[channel] = ratio;
    float* norms = tensor.norms + 3ll * channel;
    norms[0] = after;
    norms[1] = before;
    norms[2] = per_channel ? __fmul_rn(__fmul_rn(ratio, ratio), length) : length;
  }
}

/* sums[t] = sum over channels of norms[., t], the first two divided by copies. Grid: tensors; block THREADS. */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_sums(const SketchTensor* tensors) {
  __shared__ double scratch[32];
  SketchTensor tensor = tensors[blockIdx.x];
  double after = 0, before = 0, gradient = 0;
#pragma unroll 4
  for (int j = threadIdx.x; j < tensor.channels; j += THREADS) {
    const float* norms = tensor.norms + 3ll * j;
    after += norms[0];
    before += norms[1];
    gradient += norms[2];
  }
  after = block_sum(after, scratch);
  before = block_sum(before, scratch);
  gradient = block_sum(gradient, scratch);
  if (threadIdx.x == 0) {
    tensor.sums[0] = (float)(after / tensor.copies);
    tensor.sums[1] = (float)(before / tensor.copies);
    tensor.sums[2] = (float)gradient;
  }
}

/** 32 bytes, mirrored by Java. norm: null without a limit. */
struct LimitTensor {
  const float* sums;
  float* norm;
  float* multiplier;
  float alpha;
  int unused;
};

/*
 * multiplier = lr sqrt(c2) / c1 alpha f / L scale of ScaledUpdate, norm = |U| / L. scale[0] = 0 leaves norm.
 * Grid: tensors; block 1.
 */
extern "C" __global__ void scaled_limit(
    const LimitTensor* tensors, const float* scale, const float* step, float growth, int per_channel,
    int front) {
  if (scale[0] == 0) {
    return;
  }
  LimitTensor tensor = tensors[blockIdx.x];
  const float* sums = tensor.sums;
  double factor = per_channel ? 1 : sqrt((double)sums[0]) / (sqrt((double)sums[1]) + TINY);
  double limit = 1;
  if (tensor.norm != nullptr) {
    double length = factor * sqrt((double)sums[2]) * (front ? tensor.alpha : 1);
    double last = tensor.norm[0];
    limit = last == 0 ? 1 : fmax(length / (last + TINY), (double)growth) / growth;
    tensor.norm[0] = (float)(length / limit);
  }
  double rate = step[LEARNING_RATE] * sqrt((double)step[BIAS_CORRECTION2]) / step[BIAS_CORRECTION1];
  tensor.multiplier[0] = (float)(rate * tensor.alpha * factor / limit * scale[0]);
}

struct ScaledBody {
  const Tensor& tensor;
  float multiplier, keep;
  unsigned columns;
  bool rows, narrow;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> g = load_source<N>(tensor, narrow, i);
    Floats<N> p = load<N>(tensor.target + i);
    unsigned row = (unsigned)i / columns;
    unsigned column = (unsigned)i - row * columns;
#pragma unroll
    for (int j = 0; j < N; j++) {
      float factor = multiplier;
      if (tensor.first != nullptr) {
        factor = __fmul_rn(factor, tensor.first[rows ? row : column]);
      }
      p.at[j] = __fmul_rn(fmaf(-factor, g.at[j], p.at[j]), keep);
      if (++column == columns) {
        column = 0;
        row++;
      }
    }
    store<N>(tensor.target + i, p);
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, p);
    }
  }
};

/*
 * target = param, source = gradient (fp32 or bf16), first = factors of the channels or null, second = what
 * scaled_limit wrote, copy = bf16 param or null; constant = weight decay, columns, whether rows are channels.
 * p = (p - multiplier factor g) (1 - lr decay). Reads and writes 12 bytes per element, 14 with an fp32 gradient.
 * scale[0] = 0 leaves everything. Fewer than 2^32 elements. Grid: pieces; block: PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) scaled_update(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  float keep = __fsub_rn(1, __fmul_rn(step[LEARNING_RATE], tensor.constant[0]));
  each_of_piece<4>(
      tensor, piece,
      ScaledBody{tensor, tensor.second[0], keep, (unsigned)tensor.constant[1],
                 tensor.constant[2] != 0, piece.narrow != 0});
}
