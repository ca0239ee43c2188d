// APOLLO: random sketches of gradients, Adam's moments of them, and the updates that they scale.
#include "philox.cuh"
#include "reduce.cuh"
#include "tensors.cuh"

// Indices of the step block (StepScalar).
#define LEARNING_RATE 0
#define BIAS_CORRECTION1 1
#define BIAS_CORRECTION2 2
#define STEP 4

#define THREADS 256
#define WARPS (THREADS / 32)
/** Rows that one block of sketch_columns sums up; Java cuts the grid by it. */
#define STRIP_ROWS 64
#define UNIT53 0x1.0p-53
#define TWO_PI 6.283185307179586
/** Keeps a channel without gradient finite (SketchMoments.TINY). */
#define TINY 1e-8

__device__ __forceinline__ double top53(unsigned low_word, unsigned high_word, int plus) {
  unsigned long long bits = ((unsigned long long)high_word << 32 | low_word) >> 11;
  return (double)(bits + plus) * UNIT53;
}

template <class T>
__device__ __forceinline__ void put(
    T* out, long long i, long long elements, double number) {
  if (i >= 0 && i < elements) {
    out[i] = narrow<T>(widen(narrow<bf16>((float)number)));
  }
}

template <class T>
__device__ __forceinline__ void numbers(
    const float* step, T* out, long long elements, unsigned long long key,
    unsigned long long first, int interval) {
  long long now = (long long)step[STEP] - 1;
  unsigned long long drawing = (now > 0 ? now : 0) / interval;
  unsigned long long begin = (drawing << 32) + first;
  unsigned long long pair = (begin >> 1) + blockIdx.x * (unsigned long long)THREADS + threadIdx.x;
  long long i = (long long)(2 * pair - begin);
  if (i >= elements) {
    return;
  }
  Counter c = philox(pair, key);
  double radius = sqrt(-2.0 * log(top53(c.word[0], c.word[1], 1)));
  double sine, cosine;
  sincos(TWO_PI * top53(c.word[2], c.word[3], 0), &sine, &cosine);
  put(out, i, elements, radius * cosine);
  put(out, i + 1, elements, radius * sine);
}

/*
 * out[i] = number first + i of drawing (step - 1) / interval of the stream `key`, rounded to bf16:
 * SketchNumbers.java. Grid ceil((elements + 1) / 512), block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_numbers_bf16(
    const float* step, bf16* out, long long elements, unsigned long long key,
    unsigned long long first, int interval) {
  numbers(step, out, elements, key, first, interval);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_numbers_f32(
    const float* step, float* out, long long elements, unsigned long long key,
    unsigned long long first, int interval) {
  numbers(step, out, elements, key, first, interval);
}

template <int N, class T>
__device__ __forceinline__ void add_row(
    const T* g, const bf16* p, bf16* copy, float& dot, float& square) {
  Floats<N> x = load<N>(g);
  Floats<N> y{};
  if (p != nullptr) {
    y = load<N>(p);
  }
  if (copy != nullptr) {
    store<N>(copy, x);
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    dot = fmaf(x.at[j], y.at[j], dot);
    square = fmaf(x.at[j], x.at[j], square);
  }
}

template <class T>
__device__ __forceinline__ void rows(
    const T* g, const bf16* p, bf16* copy, float* sketch, float* squares, int count, int columns) {
  int row = blockIdx.x * WARPS + threadIdx.x / 32;
  if (row >= count) {
    return;
  }
  int lane = threadIdx.x % 32;
  long long begin = (long long)row * columns;
  float dot = 0, square = 0;
  int whole = columns % 8 == 0 ? columns : 0;
#pragma unroll 4
  for (int c = lane * 8; c < whole; c += 256) {
    add_row<8>(
        g + begin + c, p == nullptr ? p : p + c, copy == nullptr ? copy : copy + begin + c, dot,
        square);
  }
#pragma unroll 4
  for (int c = whole + lane; c < columns; c += 32) {
    add_row<1>(
        g + begin + c, p == nullptr ? p : p + c, copy == nullptr ? copy : copy + begin + c, dot,
        square);
  }
  dot = warp_sum(dot);
  square = warp_sum(square);
  if (lane == 0) {
    squares[row] = square;
    if (p != nullptr) {
      sketch[row] = dot;
    }
  }
}

/*
 * Rows of g [count, columns] are channels: squares[row] = sum of g^2; with p [columns] also sketch[row] = sum
 * of g p; with copy, copy = g in bf16. p, sketch and copy may be null. Grid ceil(count / WARPS), block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_rows_f32(
    const float* g, const bf16* p, bf16* copy, float* sketch, float* squares, int count,
    int columns) {
  rows(g, p, copy, sketch, squares, count, columns);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_rows_bf16(
    const bf16* g, const bf16* p, bf16* copy, float* sketch, float* squares, int count,
    int columns) {
  rows(g, p, copy, sketch, squares, count, columns);
}

/** Column sums of STRIP_ROWS rows; a thread has N columns side by side, a warp every WARPS-th row. */
template <int N, class T>
__device__ __forceinline__ void columns_strip(
    const T* g, const bf16* p, bf16* copy, float* partials, int count, int columns) {
  __shared__ float dots[WARPS][32 * N];
  __shared__ float squares[WARPS][32 * N];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int column = (blockIdx.x * 32 + lane) * N;
  int last = min(count, ((int)blockIdx.y + 1) * STRIP_ROWS);
  Floats<N> dot{}, square{};
  if (column < columns) {
#pragma unroll 4
    for (int row = blockIdx.y * STRIP_ROWS + warp; row < last; row += WARPS) {
      long long i = (long long)row * columns + column;
      Floats<N> x = load<N>(g + i);
      float factor = p == nullptr ? 0 : widen(p[row]);
      if (copy != nullptr) {
        store<N>(copy + i, x);
      }
#pragma unroll
      for (int j = 0; j < N; j++) {
        dot.at[j] = fmaf(x.at[j], factor, dot.at[j]);
        square.at[j] = fmaf(x.at[j], x.at[j], square.at[j]);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    dots[warp][lane * N + j] = dot.at[j];
    squares[warp][lane * N + j] = square.at[j];
  }
  __syncthreads();
  for (int c = threadIdx.x; c < 32 * N; c += THREADS) {
    int target = blockIdx.x * 32 * N + c;
    if (target < columns) {
      float d = 0, s = 0;
#pragma unroll
      for (int w = 0; w < WARPS; w++) {
        d += dots[w][c];
        s += squares[w][c];
      }
      float* out = partials + 2ll * blockIdx.y * columns;
      out[target] = d;
      out[columns + target] = s;
    }
  }
}

/*
 * Columns of g [count, columns] are channels. partials[2 strip] = column sums of g p over STRIP_ROWS rows, p [count]
 * or null; partials[2 strip + 1] = those of g^2; copy as above. _wide has 8 columns a thread and wants columns in
 * multiples of 8. Grid (ceil(columns / 32) or ceil(columns / 256), ceil(count / STRIP_ROWS)), block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_f32(
    const float* g, const bf16* p, bf16* copy, float* partials, int count, int columns) {
  columns_strip<1>(g, p, copy, partials, count, columns);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_bf16(
    const bf16* g, const bf16* p, bf16* copy, float* partials, int count, int columns) {
  columns_strip<1>(g, p, copy, partials, count, columns);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_wide_f32(
    const float* g, const bf16* p, bf16* copy, float* partials, int count, int columns) {
  columns_strip<8>(g, p, copy, partials, count, columns);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_wide_bf16(
    const bf16* g, const bf16* p, bf16* copy, float* partials, int count, int columns) {
  columns_strip<8>(g, p, copy, partials, count, columns);
}

/* The sums of all strips; sketch may be null. Grid ceil(columns / THREADS), block THREADS. */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_total(
    const float* partials, float* sketch, float* squares, int columns, int strips) {
  int column = blockIdx.x * THREADS + threadIdx.x;
  if (column >= columns) {
    return;
  }
  float dot = 0, square = 0;
#pragma unroll 8
  for (int strip = 0; strip < strips; strip++) {
    const float* from = partials + 2ll * strip * columns + column;
    dot += from[0];
    square += from[columns];
  }
  squares[column] = square;
  if (sketch != nullptr) {
    sketch[column] = dot;
  }
}

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

struct Stretch {
  float factor, beta1, beta2, eps;
  float after, before;
  template <int N>
  __device__ __forceinline__ void apply(const SketchTensor& tensor, long long i) {
    Floats<N> r = load<N>(tensor.sketch + i);
    Floats<N> m = load<N>(tensor.m + i);
    Floats<N> v = load<N>(tensor.v + i);
#pragma unroll
    for (int j = 0; j < N; j++) {
      float x = __fmul_rn(factor, r.at[j]);
      m.at[j] = fmaf(1 - beta1, __fsub_rn(x, m.at[j]), m.at[j]);
      v.at[j] = fmaf(1 - beta2, fmaf(x, x, -v.at[j]), v.at[j]);
      float stretched = m.at[j] / (sqrtf(v.at[j]) + eps);
      after = fmaf(stretched, stretched, after);
      before = fmaf(x, x, before);
    }
    store<N>(tensor.m + i, m);
    store<N>(tensor.v + i, v);
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
  SketchTensor tensor = tensors[blockIdx.y];
  int channel = (blockIdx.x * THREADS + threadIdx.x) / tensor.lanes;
  int lane = threadIdx.x % tensor.lanes;
  float root = (float)(scale[0] / sqrt((double)tensor.rank));
  Stretch body{root, beta1, beta2, eps, 0, 0};
  if (channel < tensor.channels && root != 0) {
    long long begin = (long long)channel * tensor.rank;
    if (tensor.rank % 4 == 0) {
#pragma unroll 2
      for (int i = 4 * lane; i < tensor.rank; i += 4 * tensor.lanes) {
        body.apply<4>(tensor, begin + i);
      }
    } else {
      for (int i = lane; i < tensor.rank; i += tensor.lanes) {
        body.apply<1>(tensor, begin + i);
      }
    }
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
