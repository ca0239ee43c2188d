// Gradient of causal attention, deterministic: every output element has one owner that sums in one
// order. P = exp(S - lse); dV = P^T dO; dS = P * (dO V^T - D), D = rowsum(dO * O); dQ = scale dS K;
// dK = scale dS^T Q (Dao 2023, 2307.08691, section 3).
//
// Two kernels instead of one that adds dQ atomically: dQ by query tiles (3 products, D on the way),
// then dK and dV by key tiles (4 products), so scores are made twice: 7 products instead of 5.
// P and dS stay in registers as the left operand of the next product; nothing but inputs touches
// shared memory. Estimate at B 32, H 12, sequence 1024, C 64 on one H100: 52,224 tiles of 64 x 64, each
// 7 * 128 cycles of wgmma, 512 of exp2 and about 400 of fp32: 354,000 / 202,000 / 158,000 cycles an
// SM. Floor 208 us, expected 400-550 us at the overlap that 3-4 warpgroups an SM give. One kernel
// with an ordered chain for dQ would have a floor of 150 us plus 0.9 GB of fp32 read-modify-write in
// L2 (160 us) and waits along the chain: not clearly better, far more fragile.
#include "attention_product.cuh"

constexpr int TILE = 64;
constexpr float LOG2E = 1.4426950408889634f;

template <int N>
__device__ __forceinline__ void clear(float (&d)[N]) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    d[i] = 0.f;
  }
}

/**
 * D = rowsum(dO * O) of a warpgroup's 64 rows, two threads a row, and lse * log2(e) beside it, to
 * `rowStats` (shared, 64 of them) and to stats (global) for the second kernel. `dOut` is the first
 * of the 64 rows in shared memory.
 */
template <int C, int TILE_ROWS>
__device__ __forceinline__ void row_statistics(const char* dOut, const bf16* o, long long oStride,
                                               const float* lse, float2* rowStats, float2* stats,
                                               int row, int rows) {
  int inside = threadIdx.x % 128 / 2;
  int half = threadIdx.x % 2;
  float sum = 0.f;
  bool valid = row + inside < rows;
  if (valid) {
    const bf16* from = o + (row + inside) * oStride;
#pragma unroll
    for (int i = 0; i < C / 16; i++) {
      int chunk = 2 * i + half;
      Floats<8> a = load<8>(from + chunk * 8);
      Floats<8> b = load<8>((const bf16*)(dOut + tile_chunk<TILE_ROWS>(inside, chunk)));
#pragma unroll
      for (int j = 0; j < 8; j++) {
        sum = fmaf(a.at[j], b.at[j], sum);
      }
    }
  }
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  if (half == 0) {
    float2 pair = make_float2(valid ? lse[row + inside] * LOG2E : 0.f, sum);
    rowStats[inside] = pair;
    if (valid) {
      stats[row + inside] = pair;
    }
  }
}

/** dQ of this warpgroup's 64 queries += dS K for one tile of 64 keys. */
template <int C, int ROWS>
__device__ __forceinline__ void query_step(float (&dq)[C / 2], unsigned q, unsigned dOut, unsigned k,
                                           unsigned v, int key, int query, const int (&start)[2],
                                           const float2 (&stat)[2], bool masked, float scale2) {
  unsigned packed[TILE / 4];
  {
    float s[TILE / 2];
    float dp[TILE / 2];
    products_begin();
    product_transposed<TILE, C, ROWS, TILE>(s, q, k);
    products_commit();
    product_transposed<TILE, C, ROWS, TILE>(dp, dOut, v);
    products_commit();
    products_wait<1>();
    pin(s);
    key += threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < TILE / 2; i++) {
      s[i] = power2(fmaf(s[i], scale2, -stat[i / 2 % 2].x));
    }
    if (masked) {
#pragma unroll
      for (int i = 0; i < TILE / 2; i++) {
        int half = i / 2 % 2;
        int column = key + i / 4 * 8 + i % 2;
        bool seen = column <= query + 8 * half && column >= start[half];
        s[i] = seen ? s[i] : 0.f;
      }
    }
    products_wait<0>();
    pin(dp);
#pragma unroll
    for (int i = 0; i < TILE / 2; i++) {
      dp[i] = s[i] * (dp[i] - stat[i / 2 % 2].y);
    }
    pack<TILE>(packed, dp);
  }
  pin(dq);
  products_begin();
  product<C, TILE>(dq, packed, k);
  products_commit();
  products_wait<0>();
  pin(dq);
}

template <int C, int GROUPS>
__device__ __forceinline__ void query_gradient(const bf16* q, const bf16* k, const bf16* v,
                                               const bf16* o, const float* lse, const bf16* dOut,
                                               const int* starts, bf16* dq, float2* stats,
                                               int sequence, int heads, int kvHeads, int qStride,
                                               int kvStride, int oStride, int dOutStride,
                                               int dqStride, float scale) {
  extern __shared__ char dynamic[];
  constexpr int ROWS = 64 * GROUPS;
  constexpr int THREADS = 128 * GROUPS;
  constexpr int KEY_BYTES = TILE * C * 2;
  char* tiles = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024;
  unsigned qTile = shared_address(tiles);
  unsigned dOutTile = qTile + ROWS * C * 2;
  unsigned kvTile = dOutTile + ROWS * C * 2;
  float2* rowStats = (float2*)(tiles + 2 * ROWS * C * 2 + 4 * KEY_BYTES);
  int head = blockIdx.y % heads;
  long long token = (long long)(blockIdx.y / heads) * sequence;
  int kvHead = head / (heads / kvHeads);
  int row = (int)(gridDim.x - 1 - blockIdx.x) * ROWS;
  k += token * kvStride + kvHead * C;
  v += token * kvStride + kvHead * C;
  const int* start = starts == nullptr ? nullptr : starts + token;
  int first = (start == nullptr ? 0 : start[row]) / TILE;
  int last = (min(row + ROWS, sequence) - 1) / TILE;
  copy_tile<ROWS, C, THREADS>(dOutTile, dOut + token * dOutStride + head * C, dOutStride, row,
                              sequence);
  copy_commit();
  copy_tile<ROWS, C, THREADS>(qTile, q + token * qStride + head * C, qStride, row, sequence);
  copy_tile<TILE, C, THREADS>(kvTile, k, kvStride, first * TILE, sequence);
  copy_tile<TILE, C, THREADS>(kvTile + KEY_BYTES, v, kvStride, first * TILE, sequence);
  copy_commit();

  int group = threadIdx.x / 128;
  int groupRow = row + group * 64;
  int inside = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  int query = row + inside;
  int see[2] = {0, 0};
  int groupStart = 0;
  int groupLastStart = 0;
  if (start != nullptr) {
    see[0] = start[min(query, sequence - 1)];
    see[1] = start[min(query + 8, sequence - 1)];
    groupStart = start[min(groupRow, sequence - 1)];
    groupLastStart = start[min(groupRow + 63, sequence - 1)];
  }
  copy_wait<1>();
  __syncthreads();
  long long statRow = (long long)blockIdx.y * sequence;
  row_statistics<C, ROWS>(tiles + ROWS * C * 2 + group * 64 * 128, o + token * oStride + head * C,
                          oStride, lse + statRow, rowStats + group * 64, stats + statRow, groupRow,
                          sequence);
  __syncthreads();
  float2 stat[2] = {rowStats[inside], rowStats[inside + 8]};
  float sums[C / 2];
  clear(sums);
  float scale2 = scale * LOG2E;
  for (int tile = first; tile <= last; tile++) {
    unsigned kTile = kvTile + (tile - first) % 2 * 2 * KEY_BYTES;
    copy_wait<0>();
    publish_to_wgmma();
    // This tile is here for all, and nobody reads the other half of the double buffer any more.
    __syncthreads();
    if (tile < last) {
      unsigned next = kvTile + (tile + 1 - first) % 2 * 2 * KEY_BYTES;
      copy_tile<TILE, C, THREADS>(next, k, kvStride, (tile + 1) * TILE, sequence);
      copy_tile<TILE, C, THREADS>(next + KEY_BYTES, v, kvStride, (tile + 1) * TILE, sequence);
      copy_commit();
    }
    int key = tile * TILE;
    if (key <= groupRow + 63 && key + TILE > groupStart) {
      bool masked = key + TILE - 1 > groupRow || key < groupLastStart;
      query_step<C, ROWS>(sums, qTile + group * 64 * 128, dOutTile + group * 64 * 128, kTile,
                          kTile + KEY_BYTES, key, query, see, stat, masked, scale2);
    }
  }
  __syncthreads();
  store_result<C, ROWS>(sums, scale, scale, tiles + group * 64 * 128,
                        dq + token * dqStride + head * C, dqStride, groupRow, sequence);
}

/** What the key kernel reads of one tile of 64 queries besides q and dO. */
struct QueryStats {
  float2 stat[TILE];
  int start[TILE];
};

/** dK and dV of 64 keys += dS^T Q and P^T dO for one tile of 64 queries. */
template <int C>
__device__ __forceinline__ void key_step(float (&dk)[C / 2], float (&dv)[C / 2], unsigned k,
                                         unsigned v, unsigned q, unsigned dOut,
                                         const QueryStats& stats, int key, int query, int sequence,
                                         bool masked, float scale2) {
  float p[TILE / 2];
  float ds[TILE / 2];
  unsigned left[TILE / 4];
  products_begin();
  product_transposed<TILE, C, TILE, TILE>(p, k, q);
  products_commit();
  product_transposed<TILE, C, TILE, TILE>(ds, v, dOut);
  products_commit();
  products_wait<1>();
  pin(p);
  int column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < TILE / 8; i++) {
    float4 two = *(const float4*)&stats.stat[8 * i + column];
    p[4 * i] = power2(fmaf(p[4 * i], scale2, -two.x));
    p[4 * i + 1] = power2(fmaf(p[4 * i + 1], scale2, -two.z));
    p[4 * i + 2] = power2(fmaf(p[4 * i + 2], scale2, -two.x));
    p[4 * i + 3] = power2(fmaf(p[4 * i + 3], scale2, -two.z));
  }
  if (masked) {
#pragma unroll
    for (int i = 0; i < TILE / 2; i++) {
      int at = 8 * (i / 4) + column + i % 2;
      int row = key + i / 2 % 2 * 8;
      bool seen = row <= query + at && row >= stats.start[at] && query + at < sequence;
      p[i] = seen ? p[i] : 0.f;
    }
  }
  pack<TILE>(left, p);
  pin(dv);
  products_begin();
  product<C, TILE>(dv, left, dOut);
  products_commit();
  products_wait<1>();
  pin(ds);
#pragma unroll
  for (int i = 0; i < TILE / 8; i++) {
    float4 two = *(const float4*)&stats.stat[8 * i + column];
    ds[4 * i] = p[4 * i] * (ds[4 * i] - two.y);
    ds[4 * i + 1] = p[4 * i + 1] * (ds[4 * i + 1] - two.w);
    ds[4 * i + 2] = p[4 * i + 2] * (ds[4 * i + 2] - two.y);
    ds[4 * i + 3] = p[4 * i + 3] * (ds[4 * i + 3] - two.w);
  }
  unsigned second[TILE / 4];
  pack<TILE>(second, ds);
  pin(dk);
  products_begin();
  product<C, TILE>(dk, second, q);
  products_commit();
  products_wait<0>();
  pin(dv);
  pin(dk);
}

/** Tiles of 64 queries, first .. result - 1, that see a key of the tile ending before keyEnd. */
__device__ __forceinline__ int query_tiles_end(const int* start, int first, int end, int keyEnd) {
  int low = first + 1;
  while (start != nullptr && low < end) {
    int middle = (low + end) / 2;
    if (start[middle * TILE] < keyEnd) {
      low = middle + 1;
    } else {
      end = middle;
    }
  }
  return end;
}

template <int C>
__device__ __forceinline__ void key_gradient(const bf16* q, const bf16* k, const bf16* v,
                                             const bf16* dOut, const int* starts,
                                             const float2* stats, bf16* dk, bf16* dv, int sequence,
                                             int heads, int kvHeads, int qStride, int kvStride,
                                             int dOutStride, int dkvStride, float scale) {
  extern __shared__ char dynamic[];
  constexpr int BYTES = TILE * C * 2;
  char* tiles = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024;
  unsigned kTile = shared_address(tiles);
  unsigned vTile = kTile + BYTES;
  QueryStats* queryStats = (QueryStats*)(tiles + 6 * BYTES);
  int ratio = heads / kvHeads;
  int kvHead = blockIdx.y % kvHeads;
  int sequenceIndex = blockIdx.y / kvHeads;
  long long token = (long long)sequenceIndex * sequence;
  int key = blockIdx.x * TILE;
  q += token * qStride + kvHead * ratio * C;
  dOut += token * dOutStride + kvHead * ratio * C;
  stats += ((long long)sequenceIndex * heads + kvHead * ratio) * sequence;
  const int* start = starts == nullptr ? nullptr : starts + token;
  int first = blockIdx.x;
  int end = query_tiles_end(start, first, (sequence + TILE - 1) / TILE, key + TILE);
  int perHead = end - first;
  int steps = perHead * ratio;

  auto fetch = [&](int step) {
    int head = step / perHead;
    int query = (first + step % perHead) * TILE;
    unsigned to = kTile + (2 + step % 2 * 2) * BYTES;
    copy_tile<TILE, C, 128>(to, q + head * C, qStride, query, sequence);
    copy_tile<TILE, C, 128>(to + BYTES, dOut + head * C, dOutStride, query, sequence);
    int inside = threadIdx.x % 64;
    bool valid = query + inside < sequence;
    int row = valid ? query + inside : 0;
    QueryStats& here = queryStats[step % 2];
    if (threadIdx.x < 64) {
      copy8(shared_address(&here.stat[inside]), stats + (long long)head * sequence + row, valid);
    } else if (start != nullptr) {
      copy4(shared_address(&here.start[inside]), start + row, valid);
    }
    copy_commit();
  };
  copy_tile<TILE, C, 128>(kTile, k + token * kvStride + kvHead * C, kvStride, key, sequence);
  copy_tile<TILE, C, 128>(vTile, v + token * kvStride + kvHead * C, kvStride, key, sequence);
  if (start == nullptr) {
    queryStats[threadIdx.x / 64].start[threadIdx.x % 64] = 0;
  }
  fetch(0);
  float dkSums[C / 2];
  float dvSums[C / 2];
  clear(dkSums);
  clear(dvSums);
  int row = key + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  float scale2 = scale * LOG2E;
  for (int step = 0; step < steps; step++) {
    copy_wait<0>();
    publish_to_wgmma();
    // This tile is here for all, and nobody reads the other half of the double buffer any more.
    __syncthreads();
    if (step + 1 < steps) {
      fetch(step + 1);
    }
    int query = (first + step % perHead) * TILE;
    bool masked = query == key || query + TILE > sequence || start != nullptr;
    unsigned qTile = kTile + (2 + step % 2 * 2) * BYTES;
    key_step<C>(dkSums, dvSums, kTile, vTile, qTile, qTile + BYTES, queryStats[step % 2], row, query,
                sequence, masked, scale2);
  }
  __syncthreads();
  store_result<C, TILE>(dkSums, scale, scale, tiles, dk + token * dkvStride + kvHead * C, dkvStride,
                        key, sequence);
  store_result<C, TILE>(dvSums, 1.f, 1.f, tiles + BYTES, dv + token * dkvStride + kvHead * C,
                        dkvStride, key, sequence);
}

/**
 * dQ, and the row statistics that the key kernel needs: run it first.
 *
 * q, o, dOut, dq [T, heads * C] and k, v [T, kvHeads * C] bf16 with row strides in elements (k and v
 * share one), base pointers and strides multiples of 16 bytes; lse fp32 [T / sequence * heads,
 * sequence] and starts (or null) as in attention_c64_bf16; stats: workspace of T * heads float2
 * (lse * log2(e), D), 8-byte aligned. Grid (ceil(sequence / 128), T / sequence * heads), block 256,
 * dynamic shared memory 1024 + 2 * 128 * C * 2 + 4 * 64 * C * 2 + 128 * 8 = 67,584.
 */
extern "C" __global__ void __launch_bounds__(256, 2) attention_query_gradient_c64_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* o, const float* lse, const bf16* dOut,
    const int* starts, bf16* dq, float2* stats, int sequence, int heads, int kvHeads, int qStride,
    int kvStride, int oStride, int dOutStride, int dqStride, float scale) {
  query_gradient<64, 2>(q, k, v, o, lse, dOut, starts, dq, stats, sequence, heads, kvHeads, qStride,
                        kvStride, oStride, dOutStride, dqStride, scale);
}

/**
 * As attention_query_gradient_c64_bf16 with C 128. Grid (ceil(sequence / 64), T / sequence * heads),
 * block 128, dynamic shared memory 1024 + 2 * 64 * C * 2 + 4 * 64 * C * 2 + 64 * 8 = 99,840.
 */
extern "C" __global__ void __launch_bounds__(128, 2) attention_query_gradient_c128_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* o, const float* lse, const bf16* dOut,
    const int* starts, bf16* dq, float2* stats, int sequence, int heads, int kvHeads, int qStride,
    int kvStride, int oStride, int dOutStride, int dqStride, float scale) {
  query_gradient<128, 1>(q, k, v, o, lse, dOut, starts, dq, stats, sequence, heads, kvHeads, qStride,
                         kvStride, oStride, dOutStride, dqStride, scale);
}

/**
 * dK and dV [T, kvHeads * C] bf16 (one row stride), summed over the query heads of a group in order.
 * Inputs as above, stats from the query kernel. Grid (ceil(sequence / 64), T / sequence * kvHeads),
 * block 128, dynamic shared memory 1024 + 6 * 64 * C * 2 + 2 * 768 = 51,712.
 */
extern "C" __global__ void __launch_bounds__(128, 3) attention_key_gradient_c64_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kvStride, int dOutStride, int dkvStride, float scale) {
  key_gradient<64>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride, kvStride,
                   dOutStride, dkvStride, scale);
}

/** As attention_key_gradient_c64_bf16 with C 128; dynamic shared memory 100,864. */
extern "C" __global__ void __launch_bounds__(128, 2) attention_key_gradient_c128_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kvStride, int dOutStride, int dkvStride, float scale) {
  key_gradient<128>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                    kvStride, dOutStride, dkvStride, scale);
}
