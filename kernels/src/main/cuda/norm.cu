// RMSNorm and LayerNorm over rows, with or without a residual sum, and their gradients in one pass.
//
// A row belongs to a team of blockDim.x threads, a thread to 32 columns at most; with a team of one
// warp a block takes blockDim.y rows at a time. Launch for width D <= 8192:
//   team = 32 * ceil(D / 1024), block (team, team == 32 ? 4 : 1);
//   forward: grid ceil(rows / blockDim.y); gradient: any grid, best 2 * SMs for D <= 1024, else
//   ceil(256 / team) * SMs.
// Rows lie `stride` elements apart in every matrix; those of x (and of its gradient) come in runs of
// `heads` side by side, the runs a stride of their own apart: heads of a packed product. 16-byte
// accesses when pointers are 16-byte aligned and D and strides are multiples of 8.
#include "bf16.cuh"
#include "reduce.cuh"

#define COLUMNS_PER_THREAD 32
#define MAX_TEAM 256
/** Widest row that one warp takes. */
#define WARP_WIDTH 1024

/** The sum over the team that owns the row, in every thread of it. */
__device__ __forceinline__ float team_sum(float value, float* scratch) {
  return blockDim.x == 32 ? warp_sum(value) : block_sum(value, scratch);
}

#define VECTORS (COLUMNS_PER_THREAD / 8)

/** Where a row starts of a matrix whose rows hold `heads` of them. */
__device__ __forceinline__ long long place_of(int row, int heads, int width, int stride) {
  return heads == 1 ? (long long)row * stride
                    : (long long)(row / heads) * stride + row % heads * width;
}

/** First column of a thread's k-th vector of 8. */
__device__ __forceinline__ int column_of(int k) { return (k * blockDim.x + threadIdx.x) * 8; }

/** 8 columns, or the `count` that are left, then zeros; WIDE: all 8 by 16-byte accesses. */
template <bool WIDE, class T>
__device__ __forceinline__ Raw<T, 8> read(const T* from, int count) {
  if constexpr (WIDE) {
    return load_raw<8>(from);
  } else {
    Floats<8> values;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      values.at[i] = i < count ? widen(from[i]) : 0;
    }
    Raw<T, 8> raw;
    if constexpr (sizeof(T) == 2) {
      raw.word = pack(values);
    } else {
      raw.word = make_float4(values.at[0], values.at[1], values.at[2], values.at[3]);
      raw.next = make_float4(values.at[4], values.at[5], values.at[6], values.at[7]);
    }
    return raw;
  }
}

template <bool WIDE, class T>
__device__ __forceinline__ void write(T* to, const Floats<8>& values, int count) {
  if constexpr (WIDE) {
    store<8>(to, values);
  } else {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (i < count) {
        to[i] = narrow<T>(values.at[i]);
      }
    }
  }
}

/** V: vectors of 8 that a thread holds of a row. */
template <bool WIDE, class T, int V = VECTORS>
struct Row {
  Raw<T, 8> part[V];

  __device__ __forceinline__ void load(const T* from, int width) {
#pragma unroll
    for (int k = 0; k < V; k++) {
      int column = column_of(k);
      part[k] = {};
      if (column < width) {
        part[k] = read<WIDE>(from + column, width - column);
      }
    }
  }
};

template <class T>
struct Forward {
  const T* a;
  const T* b;
  const float* gain;
  const float* bias;
  T* sum;
  T* y;
  float* moments;
  int rows, width, stride, heads, a_stride;
  float eps;
  __device__ __forceinline__ bool wide() const {
    return aligned8(a, a_stride) && aligned8(b, stride) && aligned8(sum, stride) &&
           aligned8(y, stride) && aligned8(gain, width) && aligned8(bias, width);
  }
};

template <class T, bool WIDE, bool LAYER>
__device__ __forceinline__ void forward(const Forward<T>& args) {
  __shared__ float scratch[32];
  int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= args.rows) {
    return;
  }
  long long base = (long long)row * args.stride;
  Row<WIDE, T> a, b;
  a.load(args.a + place_of(row, args.heads, args.width, args.a_stride), args.width);
  if (args.b != nullptr) {
    b.load(args.b + base, args.width);
  }
  Floats<8> x[VECTORS];
  float total = 0;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    x[k] = unpack(a.part[k]);
    int column = column_of(k);
    if (args.b != nullptr && column < args.width) {
      Floats<8> other = unpack(b.part[k]);
      // The norm is taken of the sum as stored, which is what the gradient reads.
#pragma unroll
      for (int i = 0; i < 8; i++) {
        x[k].at[i] = widen(narrow<T>(x[k].at[i] + other.at[i]));
      }
      write<WIDE>(args.sum + base + column, x[k], args.width - column);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      total += LAYER ? x[k].at[i] : x[k].at[i] * x[k].at[i];
    }
  }
  float mean = 0;
  float squares = team_sum(total, scratch);
  if (LAYER) {
    mean = squares / args.width;
    total = 0;
#pragma unroll
    for (int k = 0; k < VECTORS; k++) {
#pragma unroll
      for (int i = 0; i < 8; i++) {
        float d = x[k].at[i] - mean;
        total += column_of(k) + (WIDE ? 0 : i) < args.width ? d * d : 0;
      }
    }
    squares = team_sum(total, scratch);
  }
  float r = 1 / sqrtf(squares / args.width + args.eps);
  if (threadIdx.x == 0) {
    if (LAYER) {
      args.moments[2 * (long long)row] = mean;
      args.moments[2 * (long long)row + 1] = r;
    } else {
      args.moments[row] = r;
    }
  }
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    int column = column_of(k);
    if (column < args.width) {
      Floats<8> gain = unpack(read<WIDE>(args.gain + column, args.width - column));
      Floats<8> bias{};
      if (LAYER) {
        bias = unpack(read<WIDE>(args.bias + column, args.width - column));
      }
#pragma unroll
      for (int i = 0; i < 8; i++) {
        x[k].at[i] = fmaf((x[k].at[i] - mean) * r, gain.at[i], bias.at[i]);
      }
      write<WIDE>(args.y + base + column, x[k], args.width - column);
    }
  }
}

template <class T>
struct Gradient {
  const T* x;
  const float* gain;
  const float* moments;
  const T* dy;
  const T* carried;
  T* dx;
  float* gain_partials;
  float* bias_partials;
  float* dx_partials;
  int rows, width, stride, heads, x_stride, dx_stride;
  __device__ __forceinline__ bool wide() const {
    return aligned8(x, x_stride) && aligned8(dy, stride) && aligned8(carried, stride) &&
           aligned8(dx, dx_stride) && aligned8(gain, width) && aligned8(gain_partials, width) &&
           aligned8(bias_partials, width) && aligned8(dx_partials, width);
  }
};

/** Adds this block's rows in the order of threadIdx.y and writes its row of partial sums. */
template <bool WIDE, int V>
__device__ __forceinline__ void write_partials(
    const Floats<8>* sums, float* partials, int width, float* shared) {
  float* line = partials + (long long)blockIdx.x * width;
  for (int y = 0; y < blockDim.y; y++) {
    if (threadIdx.y == y) {
#pragma unroll
      for (int k = 0; k < V; k++) {
        int column = column_of(k);
        if (column < width) {
          Floats<8> sum = sums[k];
          if (y > 0) {
            Floats<8> before = load<8>(shared + column);
#pragma unroll
            for (int i = 0; i < 8; i++) {
              sum.at[i] += before.at[i];
            }
          }
          if (y == blockDim.y - 1) {
            write<WIDE>(line + column, sum, width - column);
          } else {
            store<8>(shared + column, sum);
          }
        }
      }
    }
    __syncthreads();
  }
}

/** The three rows that the gradient of one row reads. */
template <class T, bool WIDE, int V>
struct GradientRows {
  Row<WIDE, T, V> x, dy, carried;

  __device__ __forceinline__ void load(const Gradient<T>& args, int row) {
    long long base = (long long)row * args.stride;
    x.load(args.x + place_of(row, args.heads, args.width, args.x_stride), args.width);
    dy.load(args.dy + base, args.width);
    if (args.carried != nullptr) {
      carried.load(args.carried + base, args.width);
    }
  }
};

template <class T, bool WIDE, bool LAYER, int V>
__device__ __forceinline__ void gradient(const Gradient<T>& args) {
  __shared__ float scratch[32];
  __shared__ alignas(16) float shared[WARP_WIDTH];
  Floats<8> dgain[V] = {};
  Floats<8> dbias[LAYER ? V : 1] = {};
  Floats<8> dx_sums[LAYER ? V : 1] = {};
  int step = gridDim.x * blockDim.y;
  int first = blockIdx.x * blockDim.y + threadIdx.y;
  GradientRows<T, WIDE, V> next;
  if (first < args.rows) {
    next.load(args, first);
  }
  for (int row = first; row < args.rows; row += step) {
    long long to = place_of(row, args.heads, args.width, args.dx_stride);
    GradientRows<T, WIDE, V> now = next;
    // The next row is on its way while this one is computed: eight warps do not hide it otherwise.
    if (row + step < args.rows) {
      next.load(args, row + step);
    }
    float mean = LAYER ? args.moments[2 * (long long)row] : 0;
    float r = LAYER ? args.moments[2 * (long long)row + 1] : args.moments[row];
    float sum_h = 0;
    float sum_hn = 0;
#pragma unroll
    for (int k = 0; k < V; k++) {
      int column = column_of(k);
      if (column < args.width) {
        Floats<8> xs = unpack(now.x.part[k]);
        Floats<8> dys = unpack(now.dy.part[k]);
        Floats<8> gain = unpack(read<WIDE>(args.gain + column, args.width - column));
#pragma unroll
        for (int i = 0; i < 8; i++) {
          float n = (xs.at[i] - mean) * r;
          float h = gain.at[i] * dys.at[i];
          sum_h += h;
          sum_hn = fmaf(h, n, sum_hn);
          dgain[k].at[i] = fmaf(dys.at[i], n, dgain[k].at[i]);
          if (LAYER) {
            dbias[k].at[i] += dys.at[i];
          }
        }
      }
    }
    float mean_h = LAYER ? team_sum(sum_h, scratch) / args.width : 0;
    float mean_hn = team_sum(sum_hn, scratch) / args.width;
#pragma unroll
    for (int k = 0; k < V; k++) {
      int column = column_of(k);
      if (column < args.width) {
        Floats<8> xs = unpack(now.x.part[k]);
        Floats<8> dys = unpack(now.dy.part[k]);
        Floats<8> gain = unpack(read<WIDE>(args.gain + column, args.width - column));
        Floats<8> result{};
        if (args.carried != nullptr) {
          result = unpack(now.carried.part[k]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
          float n = (xs.at[i] - mean) * r;
          result.at[i] += r * fmaf(-mean_hn, n, gain.at[i] * dys.at[i] - mean_h);
          if (LAYER) {
            // What is summed is what a reader of dx would find.
            dx_sums[k].at[i] += widen(narrow<T>(result.at[i]));
          }
        }
        write<WIDE>(args.dx + to + column, result, args.width - column);
      }
    }
  }
  if (args.gain_partials != nullptr) {
    write_partials<WIDE, V>(dgain, args.gain_partials, args.width, shared);
  }
  if constexpr (LAYER) {
    if (args.bias_partials != nullptr) {
      write_partials<WIDE, V>(dbias, args.bias_partials, args.width, shared);
    }
    if (args.dx_partials != nullptr) {
      write_partials<WIDE, V>(dx_sums, args.dx_partials, args.width, shared);
    }
  }
}

/** A warp holds rows of 768 in three vectors a thread; registers decide how many blocks fit. */
template <class T, bool LAYER>
__device__ __forceinline__ void gradient(const Gradient<T>& args) {
  if (!args.wide()) {
    gradient<T, false, LAYER, VECTORS>(args);
  } else if (args.width <= 3 * 8 * (int)blockDim.x) {
    gradient<T, true, LAYER, 3>(args);
  } else {
    gradient<T, true, LAYER, VECTORS>(args);
  }
}

#define NORM_KERNELS(T, SUFFIX)                                                                    \
  /* x = a (+ b, unless null, rounded and written to sum); r = 1 / sqrt(mean(x^2) + eps);          \
     y = x r gain. a, b, sum, y [rows, width]; gain fp32 [width]; moments fp32 [rows] = r.         \
     sum may lie over a or b. Row r of a is head r % heads of its matrix row r / heads, and those   \
     lie a_stride apart. */                                                                        \
  extern "C" __global__ void __launch_bounds__(MAX_TEAM) rms_norm_##SUFFIX(                        \
      const T* a, const T* b, const float* gain, T* sum, T* y, float* moments, int rows,           \
      int width, int stride, int heads, int a_stride, float eps) {                                 \
    Forward<T> args{a,       b,    gain,  nullptr, sum,   y,                                       \
                    moments, rows, width, stride,  heads, a_stride, eps};                          \
    args.wide() ? forward<T, true, false>(args) : forward<T, false, false>(args);                         \
  }                                                                                                \
  /* As rms_norm with y = (x - mean) r gain + bias, r = 1 / sqrt(variance + eps);                  \
     moments fp32 [rows, 2] = (mean, r). */                                                        \
  extern "C" __global__ void __launch_bounds__(MAX_TEAM) layer_norm_##SUFFIX(                      \
      const T* a, const T* b, const float* gain, const float* bias, T* sum, T* y,                  \
      float* moments, int rows, int width, int stride, float eps) {                                \
    Forward<T> args{a, b, gain, bias, sum, y, moments, rows, width, stride, 1, stride, eps};       \
    args.wide() ? forward<T, true, true>(args) : forward<T, false, true>(args);                           \
  }                                                                                                \
  /* n = x r; h = gain dy; dx = r (h - n mean(h n)) (+ carried, unless null);                      \
     gain_partials [grid, width] fp32, unless null: per block the sum of dy n over its rows, for   \
     sum_partials. dx may lie over dy or carried. Rows of x and dx as those of a in rms_norm. */   \
  extern "C" __global__ void __launch_bounds__(MAX_TEAM) rms_norm_gradient_##SUFFIX(               \
      const T* x, const float* gain, const float* moments, const T* dy, const T* carried, T* dx,   \
      float* gain_partials, int rows, int width, int stride, int heads, int x_stride,              \
      int dx_stride) {                                                                             \
    Gradient<T> args{x,       gain, moments, dy,     carried, dx,       gain_partials, nullptr,    \
                     nullptr, rows, width,   stride, heads,   x_stride, dx_stride};                \
    gradient<T, false>(args);                       \
  }                                                                                                \
  /* As rms_norm_gradient with n = (x - mean) r and dx = r (h - mean(h) - n mean(h n));            \
     bias_partials [grid, width], unless null: sums of dy; dx_partials likewise: sums of dx. */    \
  extern "C" __global__ void __launch_bounds__(MAX_TEAM) layer_norm_gradient_##SUFFIX(             \
      const T* x, const float* gain, const float* moments, const T* dy, const T* carried, T* dx,   \
      float* gain_partials, float* bias_partials, float* dx_partials, int rows, int width,         \
      int stride) {                                                                                \
    Gradient<T> args{x,           gain, moments, dy,     carried, dx,     gain_partials,           \
                     bias_partials, dx_partials, rows, width, stride, 1, stride, stride};          \
    gradient<T, true>(args);                         \
  }

NORM_KERNELS(bf16, bf16)
NORM_KERNELS(float, f32)
