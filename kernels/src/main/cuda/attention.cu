// Causal attention, forward, without a score matrix in memory: after Dao 2023 (2307.08691).
//
// Estimate at B 32, H 12, sequence 1024, C 64 on one H100 (132 SM, 1.7 GHz): 51.5 GFLOP. A tile of 64
// queries x 128 keys costs 512 cycles of wgmma and 512 cycles of exp2 (16 a cycle and SM); 27,648 such
// tiles are 107,000 cycles an SM = 63 us if both overlap fully, 126 us if they never do. Keys and
// values are read from L2 once per 128 queries: 0.45 GB, 80 us at 5.5 TB/s, hidden. Overlap comes from
// four independent warpgroups on an SM (two blocks of two).
#include "attention_product.cuh"

// C 64: keys of one step.
#ifndef ATTENTION_KEYS
#define ATTENTION_KEYS 128
#endif

constexpr int QUERIES = 128;
constexpr float LOG2E = 1.4426950408889634f;
constexpr float LN2 = 0.6931471805599453f;
#define MINUS_INFINITY __int_as_float(0xff800000)

/** Running maximum (raw score) and this thread's part of the running sum, of rows r and r + 8. */
struct RowState {
  float maximum[2];
  float sum[2];
};

/** Scores that row `query` does not see become -infinity: it sees keys start .. query. */
template <int KEYS>
__device__ __forceinline__ void mask_scores(float (&s)[KEYS / 2], int key, int query,
                                            const int (&start)[2]) {
  key += threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < KEYS / 2; i++) {
    int half = i / 2 % 2;
    int column = key + i / 4 * 8 + i % 2;
    bool seen = column <= query + 8 * half && column >= start[half];
    s[i] = seen ? s[i] : MINUS_INFINITY;
  }
}

/** Scores become probabilities against the new maximum; o and the sums are rescaled to it. */
template <int KEYS, int C>
__device__ __forceinline__ void softmax_step(float (&s)[KEYS / 2], float (&o)[C / 2], RowState& row,
                                             float scale2) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float maximum = row.maximum[half];
#pragma unroll
    for (int i = 0; i < KEYS / 8; i++) {
      maximum = fmaxf(maximum, fmaxf(s[4 * i + 2 * half], s[4 * i + 2 * half + 1]));
    }
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 1));
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 2));
    // A row that has seen no key yet keeps -infinity; 0 instead makes its exponents -infinity.
    float shift = maximum == MINUS_INFINITY ? 0.f : maximum * scale2;
    float decay = power2(row.maximum[half] * scale2 - shift);
    row.maximum[half] = maximum;
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < KEYS / 8; i++) {
      float& a = s[4 * i + 2 * half];
      float& b = s[4 * i + 2 * half + 1];
      a = power2(fmaf(a, scale2, -shift));
      b = power2(fmaf(b, scale2, -shift));
      sum += a + b;
    }
    row.sum[half] = row.sum[half] * decay + sum;
#pragma unroll
    for (int i = 0; i < C / 8; i++) {
      o[4 * i + 2 * half] *= decay;
      o[4 * i + 2 * half + 1] *= decay;
    }
  }
}

/** One step: 64 queries of this warpgroup against the tile of KEYS keys at `key`. */
template <int KEYS, int C>
__device__ __forceinline__ void forward_step(float (&o)[C / 2], RowState& row, unsigned q, unsigned k,
                                             unsigned v, int key, int query, const int (&start)[2],
                                             bool masked, float scale2) {
  unsigned p[KEYS / 4];
  {
    float s[KEYS / 2];
    products_begin();
    product_transposed<KEYS, C, QUERIES, KEYS>(s, q, k);
    products_commit();
    products_wait<0>();
    pin(s);
    if (masked) {
      mask_scores<KEYS>(s, key, query, start);
    }
    softmax_step<KEYS, C>(s, o, row, scale2);
    pack<KEYS>(p, s);
  }
  pin(o);
  products_begin();
  product<C, KEYS>(o, p, v);
  products_commit();
  products_wait<0>();
  pin(o);
}

template <int C, int KEYS>
__device__ __forceinline__ void forward(const bf16* q, const bf16* k, const bf16* v,
                                        const int* starts, bf16* o, float* lse, int sequence,
                                        int heads, int kvHeads, int qStride, int kStride,
                                        int vStride, int oStride, int width, float scale) {
  extern __shared__ char dynamic[];
  constexpr int KEY_BYTES = KEYS * C * 2;
  char* tiles = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024;
  unsigned qTile = shared_address(tiles);
  unsigned kvTile = qTile + QUERIES * C * 2;
  int head = blockIdx.y % heads;
  long long token = (long long)(blockIdx.y / heads) * sequence;
  int kvHead = head / (heads / kvHeads);
  // The last queries see most keys: they start first, so that the short tiles fill the end.
  int row = (int)(gridDim.x - 1 - blockIdx.x) * QUERIES;
  q += token * qStride + head * width;
  k += token * kStride + kvHead * width;
  v += token * vStride + kvHead * width;
  const int* start = starts == nullptr ? nullptr : starts + token;
  int first = (start == nullptr ? 0 : start[row]) / KEYS;
  int last = (min(row + QUERIES, sequence) - 1) / KEYS;
  copy_tile<QUERIES, C, 256>(qTile, q, qStride, row, sequence, width);
  copy_tile<KEYS, C, 256>(kvTile, k, kStride, first * KEYS, sequence, width);
  copy_tile<KEYS, C, 256>(kvTile + KEY_BYTES, v, vStride, first * KEYS, sequence, width);
  copy_commit();

  int group = threadIdx.x / 128;
  int groupRow = row + group * 64;
  int query = groupRow + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4;
  int see[2] = {0, 0};
  int groupStart = 0;
  int groupLastStart = 0;
  if (start != nullptr) {
    see[0] = start[min(query, sequence - 1)];
    see[1] = start[min(query + 8, sequence - 1)];
    groupStart = start[min(groupRow, sequence - 1)];
    groupLastStart = start[min(groupRow + 63, sequence - 1)];
  }
  RowState state = {{MINUS_INFINITY, MINUS_INFINITY}, {0.f, 0.f}};
  float sums[C / 2];
#pragma unroll
  for (int i = 0; i < C / 2; i++) {
    sums[i] = 0.f;
  }
  float scale2 = scale * LOG2E;
  for (int tile = first; tile <= last; tile++) {
    unsigned kTile = kvTile + (tile - first) % 2 * 2 * KEY_BYTES;
    copy_wait<0>();
    publish_to_wgmma();
    // This tile is here for all, and nobody reads the other half of the double buffer any more.
    __syncthreads();
    if (tile < last) {
      unsigned next = kvTile + (tile + 1 - first) % 2 * 2 * KEY_BYTES;
      copy_tile<KEYS, C, 256>(next, k, kStride, (tile + 1) * KEYS, sequence, width);
      copy_tile<KEYS, C, 256>(next + KEY_BYTES, v, vStride, (tile + 1) * KEYS, sequence, width);
      copy_commit();
    }
    int key = tile * KEYS;
    if (key <= groupRow + 63 && key + KEYS > groupStart) {
      bool masked = key + KEYS - 1 > groupRow || key < groupLastStart;
      forward_step<KEYS, C>(sums, state, qTile + group * 64 * 128, kTile, kTile + KEY_BYTES, key,
                            query, see, masked, scale2);
    }
  }
  __syncthreads();
  float inverse[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float sum = state.sum[half];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    inverse[half] = 1.f / sum;
    if (threadIdx.x % 4 == 0 && query + 8 * half < sequence) {
      lse[(long long)blockIdx.y * sequence + query + 8 * half] =
          state.maximum[half] * scale + log2f(sum) * LN2;
    }
  }
  store_result<C, QUERIES>(sums, inverse[0], inverse[1], tiles + group * 64 * 128,
                           o + token * oStride + head * width, oStride, groupRow, sequence, width);
}

/**
 * o = softmax(q k^T * scale) v, query t of a sequence sees keys starts[t] .. t of it; query head h
 * reads key head h / (heads / kvHeads).
 *
 * q, o [T, heads * C] and k, v [T, kvHeads * C] bf16 with row strides in elements (k and v share
 * one), base pointers and strides multiples of 16 bytes; starts I32 [T] from attention_first_keys
 * or null (every query sees all before it); lse fp32 [T / sequence * heads, sequence], natural log.
 * Grid (ceil(sequence / 128), T / sequence * heads <= 65535), block 256, dynamic shared memory
 * 1024 + 128 * C * 2 + 4 * KEYS * C * 2 bytes, KEYS 128 for C 64 and 64 for C 128: 82,944 and 99,328.
 */
extern "C" __global__ void __launch_bounds__(256, 2)
    attention_c64_bf16(const bf16* q, const bf16* k, const bf16* v, const int* starts, bf16* o,
                       float* lse, int sequence, int heads, int kvHeads, int qStride, int kvStride,
                       int oStride, float scale) {
  forward<64, ATTENTION_KEYS>(q, k, v, starts, o, lse, sequence, heads, kvHeads, qStride, kvStride,
                              kvStride, oStride, 64, scale);
}

/** As attention_c64_bf16 with C 128. */
extern "C" __global__ void __launch_bounds__(256, 2)
    attention_c128_bf16(const bf16* q, const bf16* k, const bf16* v, const int* starts, bf16* o,
                        float* lse, int sequence, int heads, int kvHeads, int qStride, int kvStride,
                        int oStride, float scale) {
  forward<128, 64>(q, k, v, starts, o, lse, sequence, heads, kvHeads, qStride, kvStride, kvStride,
                   oStride, 128, scale);
}

/**
 * As attention_c64_bf16 with C = width, a multiple of 8 up to 64, and rows of k and v as far apart
 * as each wants: the columns behind the width are zeros in shared memory and nowhere else. The
 * kernels above know their width and one stride; two blocks an SM leave 128 registers.
 */
extern "C" __global__ void __launch_bounds__(256, 2)
    attention_to64_bf16(const bf16* q, const bf16* k, const bf16* v, const int* starts, bf16* o,
                        float* lse, int sequence, int heads, int kvHeads, int qStride, int kStride,
                        int vStride, int oStride, int width, float scale) {
  forward<64, ATTENTION_KEYS>(q, k, v, starts, o, lse, sequence, heads, kvHeads, qStride, kStride,
                              vStride, oStride, width, scale);
}

/** As attention_to64_bf16 with widths up to 128 and the shared memory of attention_c128_bf16. */
extern "C" __global__ void __launch_bounds__(256, 2)
    attention_to128_bf16(const bf16* q, const bf16* k, const bf16* v, const int* starts, bf16* o,
                         float* lse, int sequence, int heads, int kvHeads, int qStride, int kStride,
                         int vStride, int oStride, int width, float scale) {
  forward<128, 64>(q, k, v, starts, o, lse, sequence, heads, kvHeads, qStride, kStride, vStride,
                   oStride, width, scale);
}

/** As attention_to64_bf16 with widths up to 256; dynamic shared memory 197,632. */
extern "C" __global__ void __launch_bounds__(256, 1)
    attention_to256_bf16(const bf16* q, const bf16* k, const bf16* v, const int* starts, bf16* o,
                         float* lse, int sequence, int heads, int kvHeads, int qStride, int kStride,
                         int vStride, int oStride, int width, float scale) {
  forward<256, 64>(q, k, v, starts, o, lse, sequence, heads, kvHeads, qStride, kStride, vStride,
                   oStride, width, scale);
}

/**
 * starts[t] = the first token, counted inside the sequence, that token t sees: of the last `window`
 * up to t, those of the run of equal numbers that t belongs to. segments (or null: one run), starts
 * I32 [T], not falling inside a sequence, so that whole tiles before the first are skipped. Grid
 * T / sequence, block 1024.
 */
extern "C" __global__ void __launch_bounds__(1024)
    attention_first_keys(const int* segments, int* starts, int sequence, int window) {
  __shared__ int warpLast[32];
  long long token = (long long)blockIdx.x * sequence;
  const int* numbers = segments == nullptr ? nullptr : segments + token;
  starts += token;
  int lane = threadIdx.x % 32;
  int warp = threadIdx.x / 32;
  int carry = 0;
  for (int base = 0; base < sequence; base += 1024) {
    int t = base + threadIdx.x;
    bool begins = numbers != nullptr && t > 0 && t < sequence && numbers[t] != numbers[t - 1];
    int latest = begins ? t : 0;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      int other = __shfl_up_sync(0xffffffffu, latest, step);
      latest = lane >= step ? max(latest, other) : latest;
    }
    if (lane == 31) {
      warpLast[warp] = latest;
    }
    __syncthreads();
    int before = carry;
    for (int i = 0; i < warp; i++) {
      before = max(before, warpLast[i]);
    }
    for (int i = 0; i < 32; i++) {
      carry = max(carry, warpLast[i]);
    }
    if (t < sequence) {
      starts[t] = max(max(latest, before), t - window + 1);
    }
    __syncthreads();
  }
}
