// What adapters add beside a product: scaling, dropout, columns written back, DoRA's magnitudes.
#include "bf16.cuh"
#include "philox.cuh"

#define THREADS 256
#define LANES 32
#define WARPS 8

/** Calls body(row, column) for every element of a matrix. Grid ceil(rows * width / 4096) or less. */
template <class Body>
__device__ __forceinline__ void each(int rows, int width, Body body) {
  unsigned total = (unsigned)rows * width;
  for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < total; i += gridDim.x * THREADS) {
    body(i / width, i % width);
  }
}

/** Adds up one number per thread of a block of THREADS; the sum is valid in thread 0. */
__device__ __forceinline__ float block_sum(float x) {
  __shared__ float warps[WARPS];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    x += __shfl_down_sync(0xffffffffu, x, step);
  }
  if (threadIdx.x % LANES == 0) {
    warps[threadIdx.x / LANES] = x;
  }
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < WARPS; warp++) {
    sum += warps[warp];
  }
  return sum;
}

/** Element (out, in) of B A: up [outs, rank], down [rank, ins]. */
template <class T>
__device__ __forceinline__ float branch(const T* down, const T* up, int out, int in, int ins,
                                        int rank) {
  float sum = 0;
  for (int k = 0; k < rank; k++) {
    sum = fmaf(widen(up[out * rank + k]), widen(down[(long long)k * ins + in]), sum);
  }
  return sum;
}

template <class T, class D>
__device__ __forceinline__ void scatter(const T* base, const D* delta, const int* columns,
                                        T* weight, int rows, int width, int stride, int out_in,
                                        float factor) {
  unsigned total = (unsigned)rows * width;
  unsigned i = blockIdx.x * THREADS + threadIdx.x;
  if (i < total) {
    unsigned row = i / width;
    unsigned column = i % width;
    long long at = out_in ? (long long)row * stride + columns[column]
                          : (long long)columns[row] * stride + column;
    weight[at] = narrow<T>(fmaf(factor, widen(delta[i]), widen(base[i])));
  }
}

#define ADAPTER_KERNELS(T, SUFFIX)                                                                 \
  /* y = factor x. Grid ceil(rows * width / 4096), block 256; rows * width < 2^32. y may be x. */  \
  extern "C" __global__ void __launch_bounds__(THREADS) scale_##SUFFIX(                            \
      const T* x, T* y, int rows, int width, int x_stride, int y_stride, float factor) {           \
    each(rows, width, [&](unsigned row, unsigned column) {                                         \
      float value = widen(x[(long long)row * x_stride + column]);                                  \
      y[(long long)row * y_stride + column] = narrow<T>(factor * value);                           \
    });                                                                                            \
  }                                                                                                \
  /* y = gain x where word i % 4 of Philox block i / 4, i = (place + row) * width + column, is at   \
     least threshold, else 0. place: low and high word. Grid and block as scale. */                                       \
  extern "C" __global__ void __launch_bounds__(THREADS) dropout_##SUFFIX(                          \
      const T* x, T* y, const unsigned* place, unsigned long long key, int rows, int width,        \
      int x_stride, int y_stride, unsigned threshold, float gain) {                                \
    unsigned long long first = place[0] | (unsigned long long)place[1] << 32;                      \
    each(rows, width, [&](unsigned row, unsigned column) {                                         \
      unsigned long long i = (first + row) * width + column;                                       \
      Counter block = philox(i >> 2, key);                                                         \
      unsigned low = i & 1 ? block.word[1] : block.word[0];                                        \
      unsigned high = i & 1 ? block.word[3] : block.word[2];                                       \
      unsigned draw = i & 2 ? high : low;                                                          \
      float value = widen(x[(long long)row * x_stride + column]);                                  \
      y[(long long)row * y_stride + column] = narrow<T>(draw >= threshold ? gain * value : 0.0f);  \
    });                                                                                            \
  }                                                                                                \
  /* norms[j] = |W_j + factor up_j down|, W [outs, ins]. Grid outs, block 256. */                  \
  extern "C" __global__ void __launch_bounds__(THREADS) row_norms_out_in_##SUFFIX(                 \
      const T* weight, const T* down, const T* up, float* norms, int outs, int ins, int rank,      \
      float factor) {                                                                              \
    int out = blockIdx.x;                                                                          \
    float squares = 0;                                                                             \
    for (int in = threadIdx.x; in < ins; in += THREADS) {                                          \
      float value = widen(weight[(long long)out * ins + in]);                                      \
      value = fmaf(factor, branch(down, up, out, in, ins, rank), value);                           \
      squares = fmaf(value, value, squares);                                                       \
    }                                                                                              \
    float sum = block_sum(squares);                                                                \
    if (threadIdx.x == 0) {                                                                        \
      norms[out] = sqrtf(sum);                                                                     \
    }                                                                                              \
  }                                                                                                \
  /* As above, W [ins, outs]. Grid ceil(outs / 32), block (32, 8). */                              \
  extern "C" __global__ void __launch_bounds__(THREADS) row_norms_in_out_##SUFFIX(                 \
      const T* weight, const T* down, const T* up, float* norms, int outs, int ins, int rank,      \
      float factor) {                                                                              \
    __shared__ float shared[WARPS][LANES];                                                         \
    int out = blockIdx.x * LANES + threadIdx.x;                                                    \
    float squares = 0;                                                                             \
    for (int in = threadIdx.y; out < outs && in < ins; in += WARPS) {                              \
      float value = widen(weight[(long long)in * outs + out]);                                     \
      value = fmaf(factor, branch(down, up, out, in, ins, rank), value);                           \
      squares = fmaf(value, value, squares);                                                       \
    }                                                                                              \
    shared[threadIdx.y][threadIdx.x] = squares;                                                    \
    __syncthreads();                                                                               \
    if (threadIdx.y == 0 && out < outs) {                                                          \
      float sum = 0;                                                                               \
      _Pragma("unroll") for (int warp = 0; warp < WARPS; warp++) {                                 \
        sum += shared[warp][threadIdx.x];                                                          \
      }                                                                                            \
      norms[out] = sqrtf(sum);                                                                     \
    }                                                                                              \
  }                                                                                                \
  /* v = W + factor up down where W is not zero, else 0; v [outs, ins], W like it if out_in, else      \
     [ins, outs]. Grid ceil(outs * ins / 4096), block 256; outs * ins < 2^32. */                   \
  extern "C" __global__ void __launch_bounds__(THREADS) masked_weight_##SUFFIX(                    \
      const T* weight, const T* down, const T* up, T* v, int outs, int ins, int rank, int out_in,  \
      float factor) {                                                                              \
    each(outs, ins, [&](unsigned out, unsigned in) {                                               \
      long long at = (long long)out * ins + in;                                                    \
      float value = widen(weight[out_in ? at : (long long)in * outs + out]);                       \
      float moved = fmaf(factor, branch(down, up, out, in, ins, rank), value);                     \
      v[at] = narrow<T>(value == 0.0f ? 0.0f : moved);                                             \
    });                                                                                            \
  }                                                                                                \
  /* g = factor dv where W is not zero, else 0; shapes, grid and block as above. g may be dv if T   \
     is float. */                                                                                  \
  extern "C" __global__ void __launch_bounds__(THREADS) masked_gradient_##SUFFIX(                  \
      const float* dv, const T* weight, T* g, int outs, int ins, int out_in, float factor) {       \
    each(outs, ins, [&](unsigned out, unsigned in) {                                               \
      long long at = (long long)out * ins + in;                                                    \
      float value = widen(weight[out_in ? at : (long long)in * outs + out]);                       \
      g[at] = narrow<T>(value == 0.0f ? 0.0f : factor * dv[at]);                                   \
    });                                                                                            \
  }                                                                                                \
  /* y = v * (m / norms) + bias, bias may be null. Grid and block as scale. y may be v. */         \
  extern "C" __global__ void __launch_bounds__(THREADS) magnitude_##SUFFIX(                        \
      const T* v, const float* m, const float* norms, const float* bias, T* y, int rows,           \
      int width, int v_stride, int y_stride) {                                                     \
    each(rows, width, [&](unsigned row, unsigned column) {                                         \
      float value = widen(v[(long long)row * v_stride + column]) * (m[column] / norms[column]);    \
      value += bias == nullptr ? 0.0f : bias[column];                                              \
      y[(long long)row * y_stride + column] = narrow<T>(value);                                    \
    });                                                                                            \
  }                                                                                                \
  /* partials[p, column] = sum of v dy over rows [p rows_per_block, (p + 1) rows_per_block).       \
     partials [gridDim.y, width]. Grid (ceil(width / 32), parts), block (32, 8). */                \
  extern "C" __global__ void __launch_bounds__(THREADS) dot_columns_##SUFFIX(                      \
      const T* v, const T* dy, float* partials, int rows, int width, int v_stride, int dy_stride,  \
      int rows_per_block) {                                                                        \
    __shared__ float shared[WARPS][LANES];                                                         \
    int column = blockIdx.x * LANES + threadIdx.x;                                                 \
    int from = blockIdx.y * rows_per_block;                                                        \
    int to = min(from + rows_per_block, rows);                                                     \
    float sum = 0;                                                                                 \
    for (int row = from + threadIdx.y; column < width && row < to; row += WARPS) {                 \
      sum = fmaf(widen(v[(long long)row * v_stride + column]),                                     \
                 widen(dy[(long long)row * dy_stride + column]), sum);                             \
    }                                                                                              \
    shared[threadIdx.y][threadIdx.x] = sum;                                                        \
    __syncthreads();                                                                               \
    if (threadIdx.y == 0 && column < width) {                                                      \
      float total = 0;                                                                             \
      _Pragma("unroll") for (int warp = 0; warp < WARPS; warp++) {                                 \
        total += shared[warp][threadIdx.x];                                                        \
      }                                                                                            \
      partials[(long long)blockIdx.y * width + column] = total;                                    \
    }                                                                                              \
  }

ADAPTER_KERNELS(bf16, bf16)
ADAPTER_KERNELS(float, f32)

/* weight[:, columns] = base + factor delta, out_in: weight [N, stride], base [N, r]; else weight
   [K, stride], base [r, N]. Grid ceil(rows * width / 256), block 256; rows * width < 2^32. */
extern "C" __global__ void __launch_bounds__(THREADS) scatter_columns_f32(
    const float* base, const float* delta, const int* columns, float* weight, int rows, int width,
    int stride, int out_in, float factor) {
  scatter(base, delta, columns, weight, rows, width, stride, out_in, factor);
}
extern "C" __global__ void __launch_bounds__(THREADS) scatter_columns_bf16(
    const bf16* base, const float* delta, const int* columns, bf16* weight, int rows, int width,
    int stride, int out_in, float factor) {
  scatter(base, delta, columns, weight, rows, width, stride, out_in, factor);
}
extern "C" __global__ void __launch_bounds__(THREADS) scatter_columns_bf16_bf16(
    const bf16* base, const bf16* delta, const int* columns, bf16* weight, int rows, int width,
    int stride, int out_in, float factor) {
  scatter(base, delta, columns, weight, rows, width, stride, out_in, factor);
}

/* s = sum over p of partials[p, column]; dm = s / norm, dnorm = -s m / norm^2.
   Grid ceil(width / 256), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) magnitude_gradient(
    const float* partials, const float* m, const float* norms, float* dm, float* dnorm, int parts,
    int width) {
  int column = blockIdx.x * THREADS + threadIdx.x;
  if (column < width) {
    float sum = 0;
    for (int p = 0; p < parts; p++) {
      sum += partials[(long long)p * width + column];
    }
    dm[column] = sum / norms[column];
    dnorm[column] = -sum * m[column] / (norms[column] * norms[column]);
  }
}
