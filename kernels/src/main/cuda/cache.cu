// Keys and values of earlier tokens: rows written to their places, and one query a sequence that
// reads them. The cache is fp32; its length, not arithmetic, decides how long a token takes.
#include "bf16.cuh"
#include "reduce.cuh"

#define WRITE_THREADS 256
#define WARPS 4
#define THREADS (32 * WARPS)
/** Channels of a lane. */
#define CHANNELS 8
#define HEAD_DIM_MAX (32 * CHANNELS)
#define IGNORED -100
#define LOG2E 1.4426950408889634f
#define MINUS_INFINITY __int_as_float(0xff800000)

template <class T>
struct Cached {
  const T* q;
  const float* keys;
  const float* values;
  const int* lengths;
  T* o;
  int* fault;
  int heads, kv_heads, head_dim, capacity, window, q_stride, o_stride;
  float scale;
};

/** Rows that the sequence has in its cache; 0 for a number that cannot be. */
template <class T>
__device__ __forceinline__ int cached_length(const Cached<T>& args, int sequence) {
  int length = args.lengths[sequence];
  if (length >= 0 && length <= args.capacity) {
    return length;
  }
  if (threadIdx.x == 0 && args.fault != nullptr) {
    atomicMin(args.fault, sequence);
  }
  return 0;
}

/**
 * Each warp takes every WARPS-th key with a running maximum, its lanes the channels; the warps are
 * joined in their order, so the bits are the same at every launch.
 */
template <class T>
__device__ __forceinline__ void cached_attention(const Cached<T>& args) {
  __shared__ float partial[WARPS][HEAD_DIM_MAX];
  __shared__ float maxima[WARPS], sums[WARPS];
  int sequence = blockIdx.x;
  int head = blockIdx.y;
  int warp = threadIdx.x / 32;
  int lane = threadIdx.x % 32;
  int length = cached_length(args, sequence);
  int width = args.kv_heads * args.head_dim;
  long long first = (long long)sequence * args.capacity * width +
                    head / (args.heads / args.kv_heads) * args.head_dim;
  const T* from = args.q + (long long)sequence * args.q_stride + head * args.head_dim;
  float query[CHANNELS], mixed[CHANNELS];
#pragma unroll
  for (int i = 0; i < CHANNELS; i++) {
    int c = lane + 32 * i;
    query[i] = c < args.head_dim ? widen(from[c]) * (args.scale * LOG2E) : 0.f;
    mixed[i] = 0.f;
  }
  float max = MINUS_INFINITY;
  float sum = 0.f;
  int begin = length > args.window ? length - args.window : 0;
  for (int j = begin + warp; j < length; j += WARPS) {
    const float* key = args.keys + first + (long long)j * width;
    const float* value = args.values + first + (long long)j * width;
    float score = 0.f;
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
      int c = lane + 32 * i;
      score = c < args.head_dim ? fmaf(query[i], key[c], score) : score;
    }
    score = warp_sum(score);
    float next = fmaxf(max, score);
    float kept = exp2f(max - next);
    float weight = exp2f(score - next);
    sum = fmaf(sum, kept, weight);
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
      int c = lane + 32 * i;
      mixed[i] = c < args.head_dim ? fmaf(weight, value[c], mixed[i] * kept) : 0.f;
    }
    max = next;
  }
#pragma unroll
  for (int i = 0; i < CHANNELS; i++) {
    partial[warp][lane + 32 * i] = mixed[i];
  }
  if (lane == 0) {
    maxima[warp] = max;
    sums[warp] = sum;
  }
  __syncthreads();
  T* to = args.o + (long long)sequence * args.o_stride + head * args.head_dim;
  for (int c = threadIdx.x; c < args.head_dim; c += THREADS) {
    float top = maxima[0];
#pragma unroll
    for (int w = 1; w < WARPS; w++) {
      top = fmaxf(top, maxima[w]);
    }
    float all = 0.f;
    float total = 0.f;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      float share = length == 0 ? 0.f : exp2f(maxima[w] - top);
      all = fmaf(partial[w][c], share, all);
      total = fmaf(sums[w], share, total);
    }
    to[c] = narrow<T>(length == 0 ? 0.f : all / total);
  }
}

#define CACHE_KERNELS(T, SUFFIX)                                                                   \
  /* table[places[t]] = x[t]. x [tokens, width], rows x_stride apart; table fp32 [rows, width];    \
     places I32 [tokens]: -100 is left out, another outside [0, rows) too, and lowers *fault       \
     (unless null; start it at 2^31 - 1) to the smallest such token.                               \
     Grid ceil(tokens * width / 2048) or less, block 256; tokens * width < 2^32. */                \
  extern "C" __global__ void __launch_bounds__(WRITE_THREADS) write_rows_##SUFFIX(                 \
      const T* x, const int* places, float* table, int* fault, int tokens, int width, int rows,    \
      int x_stride) {                                                                              \
    unsigned total = (unsigned)tokens * width;                                                     \
    unsigned step = gridDim.x * WRITE_THREADS;                                                     \
    for (unsigned i = blockIdx.x * WRITE_THREADS + threadIdx.x; i < total; i += step) {            \
      int token = i / width;                                                                       \
      int column = i % width;                                                                      \
      int place = places[token];                                                                   \
      if (place >= 0 && place < rows) {                                                            \
        table[(long long)place * width + column] = widen(x[(long long)token * x_stride + column]); \
      } else if (place != IGNORED && fault != nullptr) {                                           \
        atomicMin(fault, token);                                                                   \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  /* o = softmax(q k^T scale) v over the last `window` of the first lengths[b] rows of sequence b. \
     q [sequences, heads * C] and o, rows q_stride and o_stride apart; keys and values fp32        \
     [sequences * capacity, kv_heads * C]; lengths I32 [sequences]. Length 0 gives zeros; one      \
     outside [0, capacity] too, and lowers *fault to the smallest such sequence. C <= 256.         \
     Grid (sequences, heads), block 128. */                                                        \
  extern "C" __global__ void __launch_bounds__(THREADS) cached_attention_##SUFFIX(                 \
      const T* q, const float* keys, const float* values, const int* lengths, T* o, int* fault,    \
      int heads, int kv_heads, int head_dim, int capacity, int window, int q_stride,               \
      int o_stride, float scale) {                                                                 \
    cached_attention<T>({q, keys, values, lengths, o, fault, heads, kv_heads, head_dim, capacity,  \
                         window, q_stride, o_stride, scale});                                      \
  }

CACHE_KERNELS(bf16, bf16)
CACHE_KERNELS(float, f32)
