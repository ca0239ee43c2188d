// Adafactor: one number per row and one per column in the place of a matrix of second moments. A
// gradient is dense [rows, columns], fp32 or bf16, below 2^32 elements.
#include "reduce.cuh"
#include "update.cuh"

#define FACTORED_THREADS 256
/** Rows of one block: its sums over them are the parts of the sums over columns. */
#define STRIP 16
#define PIECE 16384

__device__ __forceinline__ float element(const void* from, int is_narrow, long long i) {
  return is_narrow ? widen(static_cast<const bf16*>(from)[i]) : static_cast<const float*>(from)[i];
}

/* With x = (scale gradient)^2 + least and w = BIAS_CORRECTION2: rows += w (mean of x - rows);
   partials[strip][column] = sum of x over the strip's rows. Grid: ceil(row_count / STRIP). */
extern "C" __global__ void __launch_bounds__(FACTORED_THREADS) factored_rows(
    const void* gradient, float* rows, float* partials, const float* scale, const float* step,
    int row_count, int columns, int is_narrow, float least) {
  __shared__ float scratch[32];
  float factor = scale[0];
  if (factor == 0) {
    return;
  }
  int first = blockIdx.x * STRIP;
  float of_row[STRIP] = {};
  for (int column = threadIdx.x; column < columns; column += FACTORED_THREADS) {
    float of_column = 0;
#pragma unroll
    for (int r = 0; r < STRIP; r++) {
      if (first + r < row_count) {
        float g = __fmul_rn(
            factor, element(gradient, is_narrow, (long long)(first + r) * columns + column));
        float x = __fadd_rn(__fmul_rn(g, g), least);
        of_row[r] += x;
        of_column += x;
      }
    }
    partials[(long long)blockIdx.x * columns + column] = of_column;
  }
  float weight = step[BIAS_CORRECTION2];
#pragma unroll
  for (int r = 0; r < STRIP; r++) {
    float sum = block_sum(of_row[r], scratch);
    if (threadIdx.x == 0 && first + r < row_count) {
      float before = rows[first + r];
      rows[first + r] = fmaf(weight, sum / columns - before, before);
    }
  }
}

/* columns += w (sum of the strips / row_count - columns). Grid: ceil(column_count / 256). */
extern "C" __global__ void __launch_bounds__(FACTORED_THREADS) factored_columns(
    const float* partials, float* columns, const float* scale, const float* step, int row_count,
    int column_count, int strips) {
  int column = blockIdx.x * FACTORED_THREADS + threadIdx.x;
  if (scale[0] == 0 || column >= column_count) {
    return;
  }
  double sum = 0;
#pragma unroll 4
  for (int strip = 0; strip < strips; strip++) {
    sum += partials[(long long)strip * column_count + column];
  }
  float before = columns[column];
  columns[column] = fmaf(step[BIAS_CORRECTION2], (float)(sum / row_count) - before, before);
}

/* mean[0] = mean of rows. Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) factored_mean(
    const float* rows, float* mean, int row_count) {
  __shared__ double scratch[32];
  double sum = 0;
  for (int i = threadIdx.x; i < row_count; i += 1024) {
    sum += rows[i];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    mean[0] = (float)(sum / row_count);
  }
}

/**
 * U of an element: gradient over the root of its moment, factor by factor, since of two small
 * factors fp32 has the roots' product but not their own.
 */
__device__ __forceinline__ float update_of(
    const void* gradient, const float* rows, const float* columns, float mean, float scale,
    int column_count, int is_narrow, long long i) {
  unsigned row = (unsigned)i / (unsigned)column_count;
  float root = __fmul_rn(
      sqrtf(rows[row] / mean), sqrtf(columns[(unsigned)i - row * column_count]));
  float g = __fmul_rn(scale, element(gradient, is_narrow, i));
  return g == 0 ? 0 : g / root;
}

/* partials[piece] = sum of U^2. Grid: ceil(elements / PIECE). */
extern "C" __global__ void __launch_bounds__(FACTORED_THREADS) factored_squares(
    const void* gradient, const float* rows, const float* columns, const float* mean,
    const float* scale, double* partials, long long elements, int column_count, int is_narrow) {
  __shared__ double scratch[32];
  long long begin = (long long)blockIdx.x * PIECE;
  long long end = begin + PIECE < elements ? begin + PIECE : elements;
  double sum = 0;
  if (scale[0] != 0) {
    for (long long i = begin + threadIdx.x; i < end; i += FACTORED_THREADS) {
      double u = update_of(gradient, rows, columns, mean[0], scale[0], column_count, is_narrow, i);
      sum = fma(u, u, sum);
    }
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
  }
}

/* rms[0] = sqrt(sum of partials / elements). Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) factored_rms(
    const double* partials, float* rms, long long elements, int parts) {
  __shared__ double scratch[32];
  double sum = 0;
  for (int i = threadIdx.x; i < parts; i += 1024) {
    sum += partials[i];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    rms[0] = (float)sqrt(sum / elements);
  }
}

/* param = param (1 - lr decay) - lr s U / max(1, rms / clip), s = max(least_size, norm /
   sqrt(elements)), 1 if norm is null; copy = bf16 param or null. scale[0] = 0 leaves it. Grid:
   ceil(elements / PIECE). */
extern "C" __global__ void __launch_bounds__(FACTORED_THREADS) adafactor(
    float* param, const void* gradient, bf16* copy, const float* rows, const float* columns,
    const float* mean, const float* rms, const float* norm, const float* scale, const float* step,
    long long elements, int column_count, int is_narrow, float clip, float decay,
    float least_size) {
  if (scale[0] == 0) {
    return;
  }
  float rate = step[LEARNING_RATE];
  float keep = __fsub_rn(1, __fmul_rn(rate, decay));
  float size = norm == nullptr ? 1 : fmaxf(least_size, norm[0] / (float)sqrt((double)elements));
  float far = __fmul_rn(rate, size) / fmaxf(1, rms[0] / clip);
  long long begin = (long long)blockIdx.x * PIECE;
  long long end = begin + PIECE < elements ? begin + PIECE : elements;
  for (long long i = begin + threadIdx.x; i < end; i += FACTORED_THREADS) {
    float u = update_of(gradient, rows, columns, mean[0], scale[0], column_count, is_narrow, i);
    float p = fmaf(-far, u, __fmul_rn(param[i], keep));
    param[i] = p;
    if (copy != nullptr) {
      copy[i] = narrow<bf16>(p);
    }
  }
}
