// Operations over the columns of a matrix: copies of pieces, choice of columns, column sums.
#include "bf16.cuh"

#define THREADS 256
/** Rows that a block of sum_columns adds at once: one per warp. */
#define WARPS 8
/** Columns of a block of sum_columns: 8 per lane. */
#define STRIP 256
#define PARTIAL_LANES 16

template <class T, int N>
__device__ __forceinline__ void copy(
    const T* x, T* y, int rows, int width, int x_stride, int y_stride) {
  unsigned per_row = width / N;
  unsigned total = (unsigned)rows * per_row;
  for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < total; i += gridDim.x * THREADS) {
    unsigned row = i / per_row;
    unsigned column = i % per_row * N;
    Floats<N> v = load<N>(x + (long long)row * x_stride + column);
    store<N>(y + (long long)row * y_stride + column, v);
  }
}

/** Partial sums of 8 neighbouring columns over the rows [from, to) that this warp takes. */
template <class T, int N>
__device__ __forceinline__ void add_rows(
    const T* x, int column, int width, int stride, int from, int to, float (&sums)[8]) {
#pragma unroll 4
  for (int row = from + threadIdx.y; row < to; row += WARPS) {
    const T* line = x + (long long)row * stride;
#pragma unroll
    for (int j = 0; j < 8; j += N) {
      if (column + j < width) {
        Floats<N> v = load<N>(line + column + j);
#pragma unroll
        for (int i = 0; i < N; i++) {
          sums[j + i] += v.at[i];
        }
      }
    }
  }
}

#define COLUMN_KERNELS(T, SUFFIX)                                                                  \
  /* y = x, [rows, width], each with its row stride: one piece of a split or a concatenation.      \
     Grid ceil(rows * width / 2048) or less, block 256; rows * width < 2^32. */                    \
  extern "C" __global__ void __launch_bounds__(THREADS) copy_columns_##SUFFIX(                     \
      const T* x, T* y, int rows, int width, int x_stride, int y_stride) {                         \
    if (aligned8(x, x_stride) && aligned8(y, y_stride) && width % 8 == 0) {                        \
      copy<T, 8>(x, y, rows, width, x_stride, y_stride);                                           \
    } else {                                                                                       \
      copy<T, 1>(x, y, rows, width, x_stride, y_stride);                                           \
    }                                                                                              \
  }                                                                                                \
  /* y[row, i] = x[row, columns[i]], columns I32 [count] within [0, x_stride).                     \
     Grid ceil(rows * count / 256) or less, block 256; rows * count < 2^32. */                     \
  extern "C" __global__ void __launch_bounds__(THREADS) gather_columns_##SUFFIX(                   \
      const T* x, const int* columns, T* y, int rows, int count, int x_stride, int y_stride) {     \
    unsigned total = (unsigned)rows * count;                                                       \
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < total; i += gridDim.x * THREADS) {   \
      long long row = i / count;                                                                   \
      unsigned column = i % count;                                                                 \
      y[row * y_stride + column] = x[row * x_stride + columns[column]];                            \
    }                                                                                              \
  }                                                                                                \
  /* partials[p, column] = sum of x[row, column] over rows [p rows_per_block, (p + 1)              \
     rows_per_block), fp32, fixed order. x [rows, width]; partials [gridDim.y, width].             \
     Grid (ceil(width / 256), ceil(rows / rows_per_block)), block (32, 8); rows_per_block a        \
     multiple of 32, such that the grid has about 8 blocks per SM. */                              \
  extern "C" __global__ void __launch_bounds__(THREADS) sum_columns_##SUFFIX(                      \
      const T* x, float* partials, int rows, int width, int stride, int rows_per_block) {          \
    __shared__ float shared[WARPS][STRIP];                                                         \
    int column = blockIdx.x * STRIP + threadIdx.x * 8;                                             \
    int from = blockIdx.y * rows_per_block;                                                        \
    int to = min(from + rows_per_block, rows);                                                     \
    float sums[8] = {};                                                                            \
    if (aligned8(x, stride) && width % 8 == 0) {                                                   \
      add_rows<T, 8>(x, column, width, stride, from, to, sums);                                    \
    } else {                                                                                       \
      add_rows<T, 1>(x, column, width, stride, from, to, sums);                                    \
    }                                                                                              \
    _Pragma("unroll") for (int i = 0; i < 8; i++) {                                                \
      shared[threadIdx.y][i * 32 + threadIdx.x] = sums[i];                                         \
    }                                                                                              \
    __syncthreads();                                                                               \
    int own = threadIdx.y * 32 + threadIdx.x;                                                      \
    float total = 0;                                                                               \
    _Pragma("unroll") for (int warp = 0; warp < WARPS; warp++) {                                   \
      total += shared[warp][own % 8 * 32 + own / 8];                                               \
    }                                                                                              \
    if (blockIdx.x * STRIP + own < width) {                                                        \
      partials[(long long)blockIdx.y * width + blockIdx.x * STRIP + own] = total;                  \
    }                                                                                              \
  }

COLUMN_KERNELS(bf16, bf16)
COLUMN_KERNELS(float, f32)

/* out[column] = (accumulate ? out[column] : 0) + sum over p of partials[p, column], fixed order.
   gridDim.y pairs of (partials [parts, width], out [width]) at once; accumulate has bit i for pair
   i. Grid (ceil(width / 32), 1 to 3), block (32, 16). */
extern "C" __global__ void __launch_bounds__(32 * PARTIAL_LANES) sum_partials_f32(
    const float* first, float* first_out, const float* second, float* second_out,
    const float* third, float* third_out, int parts, int width, int accumulate) {
  __shared__ float shared[PARTIAL_LANES][32];
  const float* partials = blockIdx.y == 0 ? first : blockIdx.y == 1 ? second : third;
  float* out = blockIdx.y == 0 ? first_out : blockIdx.y == 1 ? second_out : third_out;
  int column = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  if (column < width) {
#pragma unroll 8
    for (int p = threadIdx.y; p < parts; p += PARTIAL_LANES) {
      sum += partials[(long long)p * width + column];
    }
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && column < width) {
    float total = 0;
#pragma unroll
    for (int lane = 0; lane < PARTIAL_LANES; lane++) {
      total += shared[lane][threadIdx.x];
    }
    out[column] = (accumulate >> blockIdx.y & 1 ? out[column] : 0) + total;
  }
}
