// Rows of a table chosen by ids, and the gradient of the table without atomics on floats: a stable
// radix sort of token numbers by id, then sums of equal ids in order of tokens.
#include "bf16.cuh"

#define THREADS 256
#define WARPS (THREADS / 32)
#define DIGITS 256
/** Tokens of one block of the sort: 8 rounds of a warp. */
#define SORT_TILE 2048
#define ROUNDS (SORT_TILE / THREADS)
/** Sorted tokens that one block of embedding_gradient adds. */
#define RUN_TOKENS 32
/** Rows loaded before the first is added. */
#define AHEAD 4

template <class T, int N>
__device__ __forceinline__ void choose(
    const T* table, const int* ids, const T* places, const int* positions, T* y, int* fault,
    int tokens, int width, int rows, int places_rows) {
  unsigned per_row = width / N;
  unsigned total = (unsigned)tokens * per_row;
  for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < total; i += gridDim.x * THREADS) {
    int token = i / per_row;
    int column = i % per_row * N;
    int id = ids[token];
    int position = places == nullptr ? 0 : positions[token];
    bool valid = id >= 0 && id < rows && position >= 0 && (!places || position < places_rows);
    if (!valid && column == 0 && fault != nullptr) {
      atomicMin(fault, token);
    }
    Floats<N> v{};
    if (valid) {
      v = load<N>(table + (long long)id * width + column);
      if (places != nullptr) {
        Floats<N> place = load<N>(places + (long long)position * width + column);
#pragma unroll
        for (int j = 0; j < N; j++) {
          v.at[j] += place.at[j];
        }
      }
    }
    store<N>(y + (long long)token * width + column, v);
  }
}

__device__ __forceinline__ int digit_of(const int* ids, int token, int shift) {
  return (unsigned)ids[token] >> shift & (DIGITS - 1);
}

/*
 * Sort, one pass of 8 bits; passes with shift 0, 8, .. until rows <= 2^(shift + 8), each of the three
 * kernels in this order. order_in null: 0, 1, .. (first pass). tiles = ceil(tokens / 2048);
 * counts I32 [256 * tiles]. Ids outside [0, rows) add nothing;
 * embedding_* has told of them.
 *
 * counts[digit * tiles + tile] = tokens of the tile with that digit. Grid tiles, block 256.
 */
extern "C" __global__ void __launch_bounds__(THREADS) sort_count(
    const int* ids, const int* order_in, int* counts, int tokens, int shift) {
  __shared__ int histogram[DIGITS];
  histogram[threadIdx.x] = 0;
  __syncthreads();
#pragma unroll
  for (int round = 0; round < ROUNDS; round++) {
    int i = blockIdx.x * SORT_TILE + round * THREADS + threadIdx.x;
    if (i < tokens) {
      atomicAdd(&histogram[digit_of(ids, order_in ? order_in[i] : i, shift)], 1);
    }
  }
  __syncthreads();
  counts[threadIdx.x * gridDim.x + blockIdx.x] = histogram[threadIdx.x];
}

/* counts[i] = sum of counts[j], j < i. Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) sort_scan(int* counts, int total) {
  __shared__ int warp_sums[32];
  __shared__ int carry;
  int lane = threadIdx.x % 32;
  int warp = threadIdx.x / 32;
  if (threadIdx.x == 0) {
    carry = 0;
  }
  __syncthreads();
  for (int base = 0; base < total; base += 8192) {
    int own[8];
    int sum = 0;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      int i = base + threadIdx.x * 8 + j;
      own[j] = i < total ? counts[i] : 0;
      sum += own[j];
    }
    int inclusive = sum;
#pragma unroll
    for (int apart = 1; apart < 32; apart *= 2) {
      int other = __shfl_up_sync(0xffffffffu, inclusive, apart);
      inclusive += lane >= apart ? other : 0;
    }
    if (lane == 31) {
      warp_sums[warp] = inclusive;
    }
    __syncthreads();
    int before = carry + inclusive - sum;
    for (int w = 0; w < warp; w++) {
      before += warp_sums[w];
    }
    __syncthreads();
    if (threadIdx.x == 1023) {
      carry = before + sum;
    }
#pragma unroll
    for (int j = 0; j < 8; j++) {
      int i = base + threadIdx.x * 8 + j;
      if (i < total) {
        counts[i] = before;
      }
      before += own[j];
    }
    __syncthreads();
  }
}

/* order_out = tokens of order_in, stably by digit; counts as scanned. Grid tiles, block 256. */
extern "C" __global__ void __launch_bounds__(THREADS) sort_scatter(
    const int* ids, const int* order_in, const int* counts, int* order_out, int tokens, int shift) {
  __shared__ int next[WARPS][DIGITS];
  int lane = threadIdx.x % 32;
  int warp = threadIdx.x / 32;
  int begin = blockIdx.x * SORT_TILE + warp * (SORT_TILE / WARPS);
  for (int w = 0; w < WARPS; w++) {
    next[w][threadIdx.x] = 0;
  }
  __syncthreads();
  int token[ROUNDS];
  int digit[ROUNDS];
#pragma unroll
  for (int round = 0; round < ROUNDS; round++) {
    int i = begin + round * 32 + lane;
    token[round] = i < tokens ? (order_in ? order_in[i] : i) : -1;
    digit[round] = i < tokens ? digit_of(ids, token[round], shift) : -1;
    if (i < tokens) {
      atomicAdd(&next[warp][digit[round]], 1);
    }
  }
  __syncthreads();
  int before = counts[threadIdx.x * gridDim.x + blockIdx.x];
  for (int w = 0; w < WARPS; w++) {
    int count = next[w][threadIdx.x];
    next[w][threadIdx.x] = before;
    before += count;
  }
  __syncthreads();
#pragma unroll
  for (int round = 0; round < ROUNDS; round++) {
    unsigned same = __match_any_sync(0xffffffffu, digit[round]);
    int rank = __popc(same & ((1u << lane) - 1));
    int first = digit[round] >= 0 ? next[warp][digit[round]] : 0;
    __syncwarp();
    if (digit[round] >= 0) {
      order_out[first + rank] = token[round];
      if (rank == 0) {
        next[warp][digit[round]] = first + __popc(same);
      }
    }
    __syncwarp();
  }
}

/** Added in fp32 and, in a bf16 table, rounded once. */
template <int N, class G>
__device__ __forceinline__ void add_into(G* to, const Floats<N>& values) {
  Floats<N> sum = load<N>(to);
#pragma unroll
  for (int j = 0; j < N; j++) {
    sum.at[j] += values.at[j];
  }
  store<N>(to, sum);
}

/**
 * Runs of equal ids inside 32 sorted tokens. A run that begins and ends here goes to the table; one
 * that comes from the block before goes to open[block][0], one that only goes on to open[block][1].
 */
template <class T, int N, class G>
__device__ __forceinline__ void add_runs(
    const T* dy, const int* ids, const int* order, G* table, float* open, int tokens,
    int width, int rows, int dy_stride) {
  __shared__ int sorted[RUN_TOKENS + 2];
  __shared__ int token[RUN_TOKENS];
  int begin = blockIdx.x * RUN_TOKENS;
  int count = min(RUN_TOKENS, tokens - begin);
  for (int i = threadIdx.x; i < RUN_TOKENS + 2; i += blockDim.x) {
    int at = begin + i - 1;
    sorted[i] = at >= 0 && at < tokens ? ids[order[at]] : -1;
    if (i < count) {
      token[i] = order[begin + i];
    }
  }
  __syncthreads();
  int column = (blockIdx.y * blockDim.x + threadIdx.x) * N;
  if (column >= width) {
    return;
  }
  float* lines = open + 2ll * blockIdx.x * width + column;
  Floats<N> sum{};
  bool from_before = sorted[0] == sorted[1];
  for (int base = 0; base < count; base += AHEAD) {
    Raw<T, N> raw[AHEAD];
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      if (base + j < count) {
        raw[j] = load_raw<N>(dy + (long long)token[base + j] * dy_stride + column);
      }
    }
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      int i = base + j;
      if (i < count) {
        Floats<N> v = unpack(raw[j]);
#pragma unroll
        for (int e = 0; e < N; e++) {
          sum.at[e] += v.at[e];
        }
        int id = sorted[i + 1];
        bool goes_on = sorted[i + 2] == id;
        if (!goes_on || i == count - 1) {
          if (from_before) {
            store<N>(lines, sum);
          } else if (goes_on) {
            store<N>(lines + width, sum);
          } else if (id >= 0 && id < rows) {
            add_into<N>(table + (long long)id * width + column, sum);
          }
          sum = {};
          from_before = false;
        }
      }
    }
  }
}

/** First sorted place past `at` whose id is not that of `at`. */
__device__ __forceinline__ int run_end(const int* ids, const int* order, int at, int tokens) {
  int id = ids[order[at]];
  int low = at + 1;
  int high = tokens;
  while (low < high) {
    int middle = (low + high) / 2;
    if (ids[order[middle]] == id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

template <int N, class G>
__device__ __forceinline__ void close_run(
    const int* ids, const int* order, G* table, const float* open, int tokens, int width,
    int rows) {
  int last = (blockIdx.x + 1) * RUN_TOKENS - 1;
  int column = (blockIdx.y * blockDim.x + threadIdx.x) * N;
  if (last + 1 >= tokens || column >= width) {
    return;
  }
  int id = ids[order[last]];
  int begin = blockIdx.x * RUN_TOKENS;
  bool whole_block_from_before = begin > 0 && ids[order[begin - 1]] == id;
  if (id < 0 || id >= rows || ids[order[last + 1]] != id || whole_block_from_before) {
    return;
  }
  int end_block = (run_end(ids, order, last, tokens) - 1) / RUN_TOKENS;
  const float* lines = open + column;
  Floats<N> sum = load<N>(lines + (2ll * blockIdx.x + 1) * width);
#pragma unroll 4
  for (int block = blockIdx.x + 1; block <= end_block; block++) {
    Floats<N> part = load<N>(lines + 2ll * block * width);
#pragma unroll
    for (int j = 0; j < N; j++) {
      sum.at[j] += part.at[j];
    }
  }
  add_into<N>(table + (long long)id * width + column, sum);
}

#define EMBEDDING_KERNELS(T, SUFFIX)                                                               \
  /* y[t] = table[ids[t]] (+ places[positions[t]], unless null). table [rows, width], places       \
     [places_rows, width], y [tokens, width], ids and positions I32 [tokens]. A row outside its    \
     table gives zeros and lowers *fault (unless null; start it at 2^31 - 1) to the smallest such  \
     token. Grid ceil(tokens * width / 2048) or less, block 256; tokens * width < 2^32. */         \
  extern "C" __global__ void __launch_bounds__(THREADS) embedding_##SUFFIX(                        \
      const T* table, const int* ids, const T* places, const int* positions, T* y, int* fault,     \
      int tokens, int width, int rows, int places_rows) {                                          \
    if (aligned8(table, width) && aligned8(places, width) && aligned8(y, width)) {                 \
      choose<T, 8>(table, ids, places, positions, y, fault, tokens, width, rows, places_rows);     \
    } else {                                                                                       \
      choose<T, 1>(table, ids, places, positions, y, fault, tokens, width, rows, places_rows);     \
    }                                                                                              \
  }                                                                                                \
  /* table[ids[t]] += dy[t], equal ids in order of t, fp32; `order` = the sorted tokens. First     \
     this kernel, then embedding_gradient_open with the same grid and block. dy [tokens, width],   \
     rows dy_stride apart; table [rows, width], bf16 if narrow, else fp32: a row is one run, so it \
     is rounded once; open fp32 [grid.x, 2, width] workspace.                                      \
     vectors 1: 8 columns per thread (width and dy_stride multiples of 8, 16-byte aligned), 0: 1.  \
     Grid (ceil(tokens / 32), ceil(width / columns per thread / block)), block up to 256. */       \
  extern "C" __global__ void __launch_bounds__(THREADS) embedding_gradient_##SUFFIX(               \
      const T* dy, const int* ids, const int* order, void* table, float* open, int tokens,         \
      int width, int rows, int dy_stride, int vectors, int narrow) {                               \
    if (narrow) {                                                                                  \
      bf16* narrow_table = (bf16*)table;                                                           \
      if (vectors) {                                                                               \
        add_runs<T, 8>(dy, ids, order, narrow_table, open, tokens, width, rows, dy_stride);        \
      } else {                                                                                     \
        add_runs<T, 1>(dy, ids, order, narrow_table, open, tokens, width, rows, dy_stride);        \
      }                                                                                            \
    } else if (vectors) {                                                                          \
      add_runs<T, 8>(dy, ids, order, (float*)table, open, tokens, width, rows, dy_stride);         \
    } else {                                                                                       \
      add_runs<T, 1>(dy, ids, order, (float*)table, open, tokens, width, rows, dy_stride);         \
    }                                                                                              \
  }

EMBEDDING_KERNELS(bf16, bf16)
EMBEDDING_KERNELS(float, f32)

/* Adds the runs that cross blocks of embedding_gradient: each by the block in which it begins. */
extern "C" __global__ void __launch_bounds__(THREADS) embedding_gradient_open(
    const int* ids, const int* order, void* table, const float* open, int tokens, int width,
    int rows, int vectors, int narrow) {
  if (narrow) {
    if (vectors) {
      close_run<8>(ids, order, (bf16*)table, open, tokens, width, rows);
    } else {
      close_run<1>(ids, order, (bf16*)table, open, tokens, width, rows);
    }
  } else if (vectors) {
    close_run<8>(ids, order, (float*)table, open, tokens, width, rows);
  } else {
    close_run<1>(ids, order, (float*)table, open, tokens, width, rows);
  }
}
