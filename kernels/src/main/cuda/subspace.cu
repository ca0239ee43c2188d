// Singular vectors of gradients by orthogonal iteration: Subspace.java says what is computed. Every
// kernel works on several matrices of one shape, blockIdx.z, and returns at once where nothing is due.
#include "bf16.cuh"
#include "philox.cuh"

#define THREADS 256
/** Edge of the square of a product that a block computes, 4 x 4 numbers a thread. */
#define TILE 64
#define DEPTH 16
/** Columns of Cholesky's factor that are made at once. */
#define PANEL 32
#define FACTOR_THREADS 512
#define LEAST_PIVOT 1e-14
#define LEAST_SHIFT 1e-30f

/** One matrix: SubspaceCuda.java writes it. */
struct Matrix {
  const void* gradient;
  float* basis;
  float* age;
  /** The basis as products read it. */
  void* read;
  int* due;
  /** [m, m] */
  float* gram;
  /** [m, rank] */
  float* q;
  float* z;
  /** [m, rank]: q before it is rounded. */
  double* x;
  /** [rank, rank], and a row for the diagonal as it was. */
  double* factor;
  int narrow_gradient, narrow_read;
};

/* Which matrices are due, and their new ages. Grid (1, 1, matrices), block 32. */
extern "C" __global__ void __launch_bounds__(32) subspace_due(
    const Matrix* matrices, const float* scale, int interval) {
  Matrix t = matrices[blockIdx.z];
  if (threadIdx.x == 0) {
    float age = *t.age;
    int due = scale[0] != 0 && (age < 1 || age >= interval);
    *t.due = due;
    if (scale[0] != 0) {
      *t.age = due ? 1 : age + 1;
    }
  }
}

/**
 * sums[r][c] = sum over k of a(row0 + 16 r + ty, k) b(column0 + 16 c + tx, k), k going up; a and b
 * are 0 outside. A thread loads the neighbours along k of a, or those along its row number.
 */
template <class S, class A, class B>
__device__ __forceinline__ void tile(
    int depth, bool along_k, A a, B b, S (&sums)[4][4]) {
  __shared__ float left[DEPTH][TILE + 1];
  __shared__ float right[DEPTH][TILE + 1];
  int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  for (int first = 0; first < depth; first += DEPTH) {
    for (int e = threadIdx.x; e < DEPTH * TILE; e += THREADS) {
      int k = along_k ? e % DEPTH : e / TILE;
      int i = along_k ? e / DEPTH : e % TILE;
      bool inside = first + k < depth;
      left[k][i] = inside ? a(i, first + k) : 0;
      right[k][i] = inside ? b(i, first + k) : 0;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      S x[4], y[4];
#pragma unroll
      for (int r = 0; r < 4; r++) {
        x[r] = left[k][16 * r + ty];
        y[r] = right[k][16 * r + tx];
      }
#pragma unroll
      for (int r = 0; r < 4; r++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          sums[r][c] = fma(x[r], y[c], sums[r][c]);
        }
      }
    }
    __syncthreads();
  }
}

/** Calls body(row, column, sum) for what this thread holds of a tile. */
template <class S, class Body>
__device__ __forceinline__ void each_of(const S (&sums)[4][4], int row0, int column0, Body body) {
#pragma unroll
  for (int r = 0; r < 4; r++) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      body(row0 + 16 * r + (int)threadIdx.x / 16, column0 + 16 * c + (int)threadIdx.x % 16,
           sums[r][c]);
    }
  }
}

__device__ __forceinline__ float element(const void* from, int is_narrow, long long i) {
  return is_narrow ? widen(static_cast<const bf16*>(from)[i])
                   : static_cast<const float*>(from)[i];
}

/* gram = scale^2 G G', G turned to m rows of n: number (i, k) lies at i apart + k next. Blocks above
   the diagonal do nothing, those below write both sides. Grid (tiles, tiles, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_gram(
    const Matrix* matrices, const float* scale, int m, int n, int apart, int next) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due || blockIdx.x > blockIdx.y) {
    return;
  }
  float factor = scale[0];
  int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
  auto at = [&](int i, int k) {
    long long place = (long long)i * apart + (long long)k * next;
    return i < m ? factor * element(t.gradient, t.narrow_gradient, place) : 0.0f;
  };
  float sums[4][4] = {};
  tile(
      n, next == 1, [&](int i, int k) { return at(row0 + i, k); },
      [&](int i, int k) { return at(column0 + i, k); }, sums);
  each_of(sums, row0, column0, [&](int i, int j, float sum) {
    if (i < m && j <= i) {
      t.gram[(long long)i * m + j] = sum;
      t.gram[(long long)j * m + i] = sum;
    }
  });
}

/** Adds up one number per thread of a block, in a fixed order; valid in all threads. */
__device__ __forceinline__ double block_sum(double x) {
  __shared__ double parts[THREADS];
  parts[threadIdx.x] = x;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      parts[threadIdx.x] += parts[threadIdx.x + half];
    }
    __syncthreads();
  }
  return parts[0];
}

/* gram += (share of its trace / m) on the diagonal. Grid (1, 1, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_shift(
    const Matrix* matrices, int m, float share) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due) {
    return;
  }
  double own = 0;
  for (int i = threadIdx.x; i < m; i += THREADS) {
    own += t.gram[(long long)i * (m + 1)];
  }
  float shift = (float)(share * block_sum(own) / m) + LEAST_SHIFT;
  for (int i = threadIdx.x; i < m; i += THREADS) {
    t.gram[(long long)i * (m + 1)] += shift;
  }
}

/** Subspace.start, bit for bit. */
__device__ __forceinline__ float start(unsigned long long key, long long i) {
  Counter c = philox((unsigned long long)i >> 2, key);
  unsigned low = i & 1 ? c.word[1] : c.word[0];
  unsigned high = i & 1 ? c.word[3] : c.word[2];
  return __fmul_rn((float)(int)(i & 2 ? high : low), 0x1.0p-31f);
}

/* q = start, elements numbers. Grid (ceil(elements / 256), 1, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_start(
    const Matrix* matrices, long long elements, unsigned long long key) {
  Matrix t = matrices[blockIdx.z];
  long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (*t.due && i < elements) {
    t.q[i] = start(key, i);
  }
}

/* z = gram q, gram symmetric. Grid (tiles of rank, tiles of m, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_multiply(
    const Matrix* matrices, int m, int rank) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due) {
    return;
  }
  int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
  float sums[4][4] = {};
  tile(
      m, false,
      [&](int i, int k) { return row0 + i < m ? t.gram[(long long)k * m + row0 + i] : 0.0f; },
      [&](int j, int k) {
        return column0 + j < rank ? t.q[(long long)k * rank + column0 + j] : 0.0f;
      },
      sums);
  each_of(sums, row0, column0, [&](int i, int j, float sum) {
    if (i < m && j < rank) {
      t.z[(long long)i * rank + j] = sum;
    }
  });
}

/* factor = lower half of z' z in fp64, of q' q in the last pass; the diagonal once more behind it.
   Grid (tiles of rank, tiles of rank, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_products(
    const Matrix* matrices, int m, int rank, int last) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due || blockIdx.x > blockIdx.y) {
    return;
  }
  const float* from = last ? t.q : t.z;
  int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
  auto at = [&](int i, int k) { return i < rank ? from[(long long)k * rank + i] : 0.0f; };
  double sums[4][4] = {};
  tile(
      m, false, [&](int i, int k) { return at(row0 + i, k); },
      [&](int i, int k) { return at(column0 + i, k); }, sums);
  each_of(sums, row0, column0, [&](int i, int j, double sum) {
    if (i < rank && j <= i) {
      t.factor[(long long)i * rank + j] = sum;
      if (i == j) {
        t.factor[(long long)rank * rank + i] = sum;
      }
    }
  });
}

/** Cholesky's factor of a square of up to PANEL columns, by one warp, a row a thread. */
__device__ __forceinline__ void factor_square(
    double (*square)[PANEL + 1], const double* whole, int width) {
  int row = threadIdx.x;
  for (int j = 0; j < width; j++) {
    if (row == j) {
      double least = LEAST_PIVOT * whole[j] + 2.2250738585072014e-308;
      square[j][j] = sqrt(fmax(square[j][j], least));
    }
    __syncwarp();
    if (row > j && row < width) {
      square[row][j] /= square[j][j];
    }
    __syncwarp();
    for (int k = j + 1; k <= row && row < width; k++) {
      square[row][k] -= square[row][j] * square[k][j];
    }
    __syncwarp();
  }
}

/* Cholesky's factor over the lower half, panel by panel. Grid (1, 1, matrices), block 512. */
extern "C" __global__ void __launch_bounds__(FACTOR_THREADS) subspace_factor(
    const Matrix* matrices, int rank) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due) {
    return;
  }
  __shared__ double square[PANEL][PANEL + 1];
  double* s = t.factor;
  for (int p = 0; p < rank; p += PANEL) {
    int width = min(PANEL, rank - p);
    for (int e = threadIdx.x; e < width * width; e += FACTOR_THREADS) {
      square[e / width][e % width] = s[(long long)(p + e / width) * rank + p + e % width];
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      factor_square(square, s + (long long)rank * rank + p, width);
    }
    __syncthreads();
    for (int e = threadIdx.x; e < width * width; e += FACTOR_THREADS) {
      if (e % width <= e / width) {
        s[(long long)(p + e / width) * rank + p + e % width] = square[e / width][e % width];
      }
    }
    int begin = p + width;
    for (int row = begin + threadIdx.x; row < rank; row += FACTOR_THREADS) {
      double* own = s + (long long)row * rank + p;
      for (int j = 0; j < width; j++) {
        double rest = own[j];
        for (int k = 0; k < j; k++) {
          rest -= own[k] * square[j][k];
        }
        own[j] = rest / square[j][j];
      }
    }
    __syncthreads();
    int quads = (rank - begin + 3) / 4;
    for (int e = threadIdx.x; e < quads * quads; e += FACTOR_THREADS) {
      int row0 = begin + e / quads * 4, column0 = begin + e % quads * 4;
      if (column0 > row0) {
        continue;
      }
      double sums[4][4] = {};
      for (int k = 0; k < width; k++) {
        double x[4], y[4];
#pragma unroll
        for (int r = 0; r < 4; r++) {
          x[r] = row0 + r < rank ? s[(long long)(row0 + r) * rank + p + k] : 0;
          y[r] = column0 + r < rank ? s[(long long)(column0 + r) * rank + p + k] : 0;
        }
#pragma unroll
        for (int r = 0; r < 4; r++) {
#pragma unroll
          for (int c = 0; c < 4; c++) {
            sums[r][c] = fma(x[r], y[c], sums[r][c]);
          }
        }
      }
      for (int r = 0; r < 4; r++) {
        for (int c = 0; c < 4; c++) {
          int i = row0 + r, j = column0 + c;
          if (i < rank && j <= i) {
            s[(long long)i * rank + j] -= sums[r][c];
          }
        }
      }
    }
    __syncthreads();
  }
}

/* q L' = z for q, L the factor, in fp64; of q itself in the last pass. 32 rows a block, a panel of
   columns at a time. Grid (ceil(m / 32), 1, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_solve(
    const Matrix* matrices, int m, int rank, int last) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due) {
    return;
  }
  __shared__ double square[PANEL][PANEL + 1];
  __shared__ double rest[32][PANEL + 1];
  const float* from = last ? t.q : t.z;
  int row0 = blockIdx.x * 32;
  int column = threadIdx.x % 32, first = threadIdx.x / 32;
  for (int p = 0; p < rank; p += PANEL) {
    int width = min(PANEL, rank - p);
    for (int e = threadIdx.x; e < width * width; e += THREADS) {
      square[e / width][e % width] = t.factor[(long long)(p + e / width) * rank + p + e % width];
    }
    if (column < width) {
      const double* l = t.factor + (long long)(p + column) * rank;
      double sums[4] = {};
      for (int k = 0; k < p; k++) {
        double factor = l[k];
#pragma unroll
        for (int r = 0; r < 4; r++) {
          int row = min(row0 + first + 8 * r, m - 1);
          sums[r] = fma(t.x[(long long)row * rank + k], factor, sums[r]);
        }
      }
#pragma unroll
      for (int r = 0; r < 4; r++) {
        int row = min(row0 + first + 8 * r, m - 1);
        rest[first + 8 * r][column] = from[(long long)row * rank + p + column] - sums[r];
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      double* own = rest[threadIdx.x];
      for (int j = 0; j < width; j++) {
        double left = own[j];
        for (int k = 0; k < j; k++) {
          left -= own[k] * square[j][k];
        }
        own[j] = left / square[j][j];
      }
    }
    __syncthreads();
    for (int r = 0; r < 4; r++) {
      int row = row0 + first + 8 * r;
      if (column < width && row < m) {
        long long at = (long long)row * rank + p + column;
        t.x[at] = rest[first + 8 * r][column];
        t.q[at] = (float)rest[first + 8 * r][column];
      }
    }
    __syncthreads();
  }
}

/* basis = q, each column to the side of its start. Grid (rank, 1, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_finish(
    const Matrix* matrices, int m, int rank, unsigned long long key) {
  Matrix t = matrices[blockIdx.z];
  if (!*t.due) {
    return;
  }
  double along = 0;
  for (int i = threadIdx.x; i < m; i += THREADS) {
    long long at = (long long)i * rank + blockIdx.x;
    along += (double)t.q[at] * start(key, at);
  }
  float sign = block_sum(along) < 0 ? -1.0f : 1.0f;
  for (int i = threadIdx.x; i < m; i += THREADS) {
    long long at = (long long)i * rank + blockIdx.x;
    t.basis[at] = sign * t.q[at];
  }
}

/* read = basis, in every step. Grid (ceil(elements / 256), 1, matrices), block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) subspace_copy(
    const Matrix* matrices, long long elements) {
  Matrix t = matrices[blockIdx.z];
  long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i < elements) {
    if (t.narrow_read) {
      static_cast<bf16*>(t.read)[i] = narrow<bf16>(t.basis[i]);
    } else {
      static_cast<float*>(t.read)[i] = t.basis[i];
    }
  }
}
