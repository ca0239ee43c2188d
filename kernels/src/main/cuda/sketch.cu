// Random sketches of gradients.
#include "bf16.cuh"
#include "philox.cuh"
#include "reduce.cuh"

/** Index of the step number in the step block (StepScalar.STEP). */
#define STEP 4

#define THREADS 256
#define WARPS (THREADS / 32)
/** Rows that one block of sketch_columns sums up; Java cuts the grid by it. */
#define STRIP_ROWS 64

/** Sum of c[i] x^(3 - i), SketchNumbers.java bit for bit: each operation is rounded by itself. */
__device__ __forceinline__ float cubic(float c0, float c1, float c2, float c3, float x) {
  return fmaf(fmaf(fmaf(c0, x, c1), x, c2), x, c3);
}

/** sqrt(-2 ln u) of a uniform number in (0, 1]. */
__device__ __forceinline__ float radius_of(unsigned word) {
  float uniform = __fmul_rn((float)((word >> 8) + 1), 0x1.0p-24f);
  int bits = __float_as_int(uniform) + (0x3F800000 - 0x3F3504F3);
  int exponent = (bits >> 23) - 127;
  float f = __fsub_rn(__int_as_float((bits & 0x7FFFFF) + 0x3F3504F3), 1.0f);
  float s = __fdiv_rn(f, __fadd_rn(2.0f, f));
  float z = __fmul_rn(s, s);
  float half = __fmul_rn(__fmul_rn(0.5f, f), f);
  float inner = fmaf(z, cubic(0.24279079f, 0.28498787f, 0.40000972f, 0.66666663f, z), half);
  float tail = __fsub_rn(half, __fmul_rn(s, inner));
  float log = fmaf((float)exponent, 0.69314718f, __fsub_rn(f, tail));
  return __fsqrt_rn(fmaxf(0.0f, __fmul_rn(-2.0f, log)));
}

/** Numbers 2 pair and 2 pair + 1 of a block. */
__device__ __forceinline__ void normal_pair(
    unsigned radius_word, unsigned turn_word, float& first, float& second) {
  float radius = radius_of(radius_word);
  unsigned turn = turn_word >> 8;
  float x = __fmul_rn(
      __fsub_rn(__fmul_rn((float)(turn & 0x3FFFFF), 0x1.0p-22f), 0.5f), 1.5707964f);
  float z = __fmul_rn(x, x);
  float sine =
      fmaf(__fmul_rn(x, z), cubic(2.7557314e-6f, -1.9841270e-4f, 8.3333338e-3f, -0.16666667f, z), x);
  float cosine = fmaf(z, cubic(2.4801588e-5f, -1.3888889e-3f, 4.1666668e-2f, -0.5f, z), 1.0f);
  unsigned quarter = turn >> 22;
  float across = quarter & 1 ? sine : cosine;
  float along = quarter & 1 ? cosine : sine;
  first = __fmul_rn(radius, quarter == 1 || quarter == 2 ? -across : across);
  second = __fmul_rn(radius, quarter >= 2 ? -along : along);
}

template <class T>
__device__ __forceinline__ void numbers(
    const float* step, T* out, long long elements, unsigned long long key,
    unsigned long long first, int interval) {
  long long now = (long long)step[STEP] - 1;
  unsigned long long drawing = (now > 0 ? now : 0) / interval;
  unsigned long long begin = (drawing << 32) + first;
  unsigned long long block = (begin >> 2) + blockIdx.x * (unsigned long long)THREADS + threadIdx.x;
  long long i = (long long)(4 * block - begin);
  if (i >= elements) {
    return;
  }
  Counter c = philox(block, key);
  float number[4];
  normal_pair(c.word[0], c.word[1], number[0], number[1]);
  normal_pair(c.word[2], c.word[3], number[2], number[3]);
#pragma unroll
  for (int j = 0; j < 4; j++) {
    if (i + j >= 0 && i + j < elements) {
      out[i + j] = narrow<T>(widen(narrow<bf16>(number[j])));
    }
  }
}

/*
 * out[i] = number first + i of drawing (step - 1) / interval of the stream `key`, rounded to bf16:
 * SketchNumbers.java, bit for bit. Grid ceil((elements + 3) / (4 THREADS)) or more, block THREADS.
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
