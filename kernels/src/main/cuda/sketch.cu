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

/** One matrix of a launch; mirrors the table of SketchCuda.java. */
struct Matrix {
  /** [rows, columns] */
  const void* gradient;
  /** Its numbers [contracted, rank], from a multiple of 16 bytes on. */
  void* numbers;
  /** The gradient in bf16, where a product wants one. */
  bf16* copy;
  /** One number per channel; null where a product makes the sketch. */
  float* sketch;
  float* squares;
  /** Sums of strips of rows, where columns are channels. */
  float* partials;
  unsigned long long key;
  /** Place of the first of its numbers in the stream. */
  unsigned long long first;
  /** How many numbers. */
  long long count;
  int rows, columns;
};

/** What one block reads: a block of its matrix's own grid. */
struct Piece {
  int matrix, block;
};

/**
 * numbers[i] = number first + i of drawing (step - 1) / interval of the stream `key`, rounded to bf16:
 * SketchNumbers.java, bit for bit. `threads` of them draw, of which this is number `thread`.
 */
template <class T>
__device__ __forceinline__ void draw(
    const Matrix& m, const float* step, int interval, long long thread, long long threads) {
  T* out = (T*)m.numbers;
  long long now = (long long)step[STEP] - 1;
  unsigned long long drawing = (now > 0 ? now : 0) / interval;
  unsigned long long begin = (drawing << 32) + m.first;
  int before = (int)(begin & 3);
  for (long long i = 4 * thread - before; i < m.count; i += 4 * threads) {
    Counter c = philox((begin + i) >> 2, m.key);
    Floats<4> number;
    normal_pair(c.word[0], c.word[1], number.at[0], number.at[1]);
    normal_pair(c.word[2], c.word[3], number.at[2], number.at[3]);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      number.at[j] = widen(narrow<bf16>(number.at[j]));
    }
    if (before == 0 && i + 4 <= m.count) {
      store<4>(out + i, number);
      continue;
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
      if (i + j >= 0 && i + j < m.count) {
        out[i + j] = narrow<T>(number.at[j]);
      }
    }
  }
}

/*
 * Numbers for sketches of one per channel, which whoever reads the gradient wants. Grid (blocks, matrices), block
 * THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_numbers_bf16(
    const Matrix* matrices, const float* step, int interval) {
  draw<bf16>(
      matrices[blockIdx.y], step, interval, blockIdx.x * THREADS + threadIdx.x,
      gridDim.x * THREADS);
}

/**
 * Numbers for a product, stored as what the product reads of the gradient. Blocks that wait for memory have time to
 * draw them.
 */
template <class T>
__device__ __forceinline__ void draw_aside(
    const Matrix& m, const float* step, int interval, int block, int blocks) {
  if (m.sketch != nullptr) {
    return;
  }
  long long thread = (long long)block * THREADS + threadIdx.x;
  long long threads = (long long)blocks * THREADS;
  if (sizeof(T) == sizeof(float) && m.copy == nullptr) {
    draw<float>(m, step, interval, thread, threads);
  } else {
    draw<bf16>(m, step, interval, thread, threads);
  }
}

template <int N, bool DOTS, bool COPY, class T>
__device__ __forceinline__ void add_row(
    const T* g, const bf16* p, bf16* copy, float& dot, float& square) {
  Floats<N> x = load<N>(g);
  Floats<N> y{};
  if constexpr (DOTS) {
    y = load<N>(p);
  }
  if constexpr (COPY) {
    store<N>(copy, x);
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    if constexpr (DOTS) {
      dot = fmaf(x.at[j], y.at[j], dot);
    }
    square = fmaf(x.at[j], x.at[j], square);
  }
}

template <class T, bool DOTS, bool COPY>
__device__ __forceinline__ void row(const Matrix& m, int row) {
  int lane = threadIdx.x % 32;
  const T* g = (const T*)m.gradient + (long long)row * m.columns;
  const bf16* p = (const bf16*)m.numbers;
  bf16* copy = m.copy + (long long)row * m.columns;
  float dot = 0, square = 0;
  int whole = m.columns % 8 == 0 ? m.columns : 0;
#pragma unroll 4
  for (int c = lane * 8; c < whole; c += 256) {
    add_row<8, DOTS, COPY>(g + c, p + c, copy + c, dot, square);
  }
#pragma unroll 4
  for (int c = whole + lane; c < m.columns; c += 32) {
    add_row<1, DOTS, COPY>(g + c, p + c, copy + c, dot, square);
  }
  square = warp_sum(square);
  if constexpr (DOTS) {
    dot = warp_sum(dot);
  }
  if (lane == 0) {
    m.squares[row] = square;
    if constexpr (DOTS) {
      m.sketch[row] = dot;
    }
  }
}

__device__ __forceinline__ int strips(const Matrix& m) {
  return (m.rows + STRIP_ROWS - 1) / STRIP_ROWS;
}

template <class T>
__device__ __forceinline__ void rows(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  Piece piece = pieces[blockIdx.x];
  const Matrix m = matrices[piece.matrix];
  draw_aside<T>(m, step, interval, piece.block, (m.rows + WARPS - 1) / WARPS);
  int own = piece.block * WARPS + threadIdx.x / 32;
  if (own >= m.rows) {
    return;
  }
  if (m.sketch != nullptr) {
    row<T, true, false>(m, own);
  } else if (m.copy != nullptr) {
    row<T, false, true>(m, own);
  } else {
    row<T, false, false>(m, own);
  }
}

/*
 * Rows of the gradients are channels: squares[row] = sum of g^2; with sketch also sketch[row] = sum of g times
 * numbers, of which there is one per column; else numbers for a product and, with copy, copy = g in bf16. A block has
 * WARPS rows; grid one block per piece, block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_rows_f32(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  rows<float>(matrices, pieces, step, interval);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_rows_bf16(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  rows<bf16>(matrices, pieces, step, interval);
}

/** Column sums of one warp's rows of a strip; a thread has N columns side by side. */
template <int N, bool DOTS, bool COPY, class T>
__device__ __forceinline__ void add_strip(
    const T* g, const bf16* p, bf16* copy, int first, int last, int columns, Floats<N>& dot,
    Floats<N>& square) {
#pragma unroll 4
  for (int row = first; row < last; row += WARPS) {
    long long i = (long long)row * columns;
    Floats<N> x = load<N>(g + i);
    float factor = 0;
    if constexpr (DOTS) {
      factor = widen(p[row]);
    }
    if constexpr (COPY) {
      store<N>(copy + i, x);
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
      if constexpr (DOTS) {
        dot.at[j] = fmaf(x.at[j], factor, dot.at[j]);
      }
      square.at[j] = fmaf(x.at[j], x.at[j], square.at[j]);
    }
  }
}

/** Column sums of STRIP_ROWS rows; a warp has every WARPS-th row. */
template <int N, class T>
__device__ __forceinline__ void columns_strip(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  __shared__ float dots[WARPS][32 * N];
  __shared__ float squares[WARPS][32 * N];
  Piece piece = pieces[blockIdx.x];
  const Matrix m = matrices[piece.matrix];
  int across = (m.columns + 32 * N - 1) / (32 * N);
  draw_aside<T>(m, step, interval, piece.block, across * strips(m));
  int begin = piece.block % across * 32 * N, strip = piece.block / across;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int column = begin + lane * N;
  int last = min(m.rows, (strip + 1) * STRIP_ROWS);
  Floats<N> dot{}, square{};
  if (column < m.columns) {
    const T* g = (const T*)m.gradient + column;
    const bf16* p = (const bf16*)m.numbers;
    int first = strip * STRIP_ROWS + warp;
    if (m.sketch != nullptr) {
      add_strip<N, true, false>(g, p, m.copy, first, last, m.columns, dot, square);
    } else if (m.copy != nullptr) {
      add_strip<N, false, true>(g, p, m.copy + column, first, last, m.columns, dot, square);
    } else {
      add_strip<N, false, false>(g, p, m.copy, first, last, m.columns, dot, square);
    }
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    dots[warp][lane * N + j] = dot.at[j];
    squares[warp][lane * N + j] = square.at[j];
  }
  __syncthreads();
  for (int c = threadIdx.x; c < 32 * N; c += THREADS) {
    int target = begin + c;
    if (target < m.columns) {
      float d = 0, s = 0;
#pragma unroll
      for (int w = 0; w < WARPS; w++) {
        d += dots[w][c];
        s += squares[w][c];
      }
      float* out = m.partials + 2ll * strip * m.columns;
      out[target] = d;
      out[m.columns + target] = s;
    }
  }
}

/*
 * Columns of the gradients are channels. partials[2 strip] = column sums of g times numbers, of which there is one
 * per row, over STRIP_ROWS rows, 0 without sketch; partials[2 strip + 1] = those of g^2; the rest as above. _wide has 8
 * columns a thread and wants columns in multiples of 8. Block strip ceil(columns / 32) + i of a matrix, wide
 * strip ceil(columns / 256) + i, has the i-th of its runs of columns; grid one block per piece, block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_f32(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  columns_strip<1, float>(matrices, pieces, step, interval);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_bf16(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  columns_strip<1, bf16>(matrices, pieces, step, interval);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_wide_f32(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  columns_strip<8, float>(matrices, pieces, step, interval);
}
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_wide_bf16(
    const Matrix* matrices, const Piece* pieces, const float* step, int interval) {
  columns_strip<8, bf16>(matrices, pieces, step, interval);
}

/*
 * The sums of all strips; sketch may be null. Grid (ceil(columns / THREADS) of the widest matrix or more, matrices),
 * block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sketch_columns_total(const Matrix* matrices) {
  const Matrix m = matrices[blockIdx.y];
  int column = blockIdx.x * THREADS + threadIdx.x;
  if (column >= m.columns) {
    return;
  }
  int count = strips(m);
  float dot = 0, square = 0;
#pragma unroll 8
  for (int strip = 0; strip < count; strip++) {
    const float* from = m.partials + 2ll * strip * m.columns + column;
    dot += from[0];
    square += from[m.columns];
  }
  m.squares[column] = square;
  if (m.sketch != nullptr) {
    m.sketch[column] = dot;
  }
}
