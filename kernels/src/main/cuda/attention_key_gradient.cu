// Gradient of causal attention by key tiles: dK and dV, after attention_query_gradient.cu, which
// explains both.
#include "attention_product.cuh"

constexpr int TILE = 64;
constexpr float LOG2E = 1.4426950408889634f;

/** What the key kernel reads of one tile of 64 queries besides q and dO. */
struct QueryStats {
  float2 stat[TILE];
  int start[TILE];
};

/**
 * Columns `panel` * 64 .. + OUT - 1 of dK and dV of 64 keys += those of dS^T Q and P^T dO for one
 * tile of 64 queries.
 */
template <int C, int OUT>
__device__ __forceinline__ void key_step(float (&dk)[OUT / 2], float (&dv)[OUT / 2], unsigned k,
                                         unsigned v, unsigned q, unsigned dOut,
                                         const QueryStats& stats, int key, int query, int sequence,
                                         bool masked, int panel, float scale2) {
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
  product<OUT, TILE>(dv, left, dOut + panel * TILE * 128);
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
  product<OUT, TILE>(dk, second, q + panel * TILE * 128);
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

/**
 * C / OUT blocks share the columns of a key tile: the sums of 256 columns of dK and dV would take
 * all 255 registers of a thread. Each makes all scores.
 */
template <int C, int OUT>
__device__ __forceinline__ void key_gradient(const bf16* q, const bf16* k, const bf16* v,
                                             const bf16* dOut, const int* starts,
                                             const float2* stats, bf16* dk, bf16* dv, int sequence,
                                             int heads, int kvHeads, int qStride, int kStride,
                                             int vStride, int dOutStride, int dkStride,
                                             int dvStride, int width, float scale) {
  extern __shared__ char dynamic[];
  constexpr int BYTES = TILE * C * 2;
  constexpr int PARTS = C / OUT;
  char* tiles = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024;
  unsigned kTile = shared_address(tiles);
  unsigned vTile = kTile + BYTES;
  QueryStats* queryStats = (QueryStats*)(tiles + 6 * BYTES);
  int ratio = heads / kvHeads;
  int kvHead = blockIdx.y % kvHeads;
  int sequenceIndex = blockIdx.y / kvHeads;
  long long token = (long long)sequenceIndex * sequence;
  int keyTile = blockIdx.x / PARTS;
  int panel = blockIdx.x % PARTS * (OUT / PANEL);
  int key = keyTile * TILE;
  q += token * qStride + kvHead * ratio * width;
  dOut += token * dOutStride + kvHead * ratio * width;
  stats += ((long long)sequenceIndex * heads + kvHead * ratio) * sequence;
  const int* start = starts == nullptr ? nullptr : starts + token;
  int first = keyTile;
  int end = query_tiles_end(start, first, (sequence + TILE - 1) / TILE, key + TILE);
  int perHead = end - first;
  int steps = perHead * ratio;

  auto fetch = [&](int step) {
    int head = step / perHead;
    int query = (first + step % perHead) * TILE;
    unsigned to = kTile + (2 + step % 2 * 2) * BYTES;
    copy_tile<TILE, C, 128>(to, q + head * width, qStride, query, sequence, width);
    copy_tile<TILE, C, 128>(to + BYTES, dOut + head * width, dOutStride, query, sequence, width);
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
  k += token * kStride + kvHead * width;
  v += token * vStride + kvHead * width;
  copy_tile<TILE, C, 128>(kTile, k, kStride, key, sequence, width);
  copy_tile<TILE, C, 128>(vTile, v, vStride, key, sequence, width);
  if (start == nullptr) {
    queryStats[threadIdx.x / 64].start[threadIdx.x % 64] = 0;
  }
  fetch(0);
  float dkSums[OUT / 2];
  float dvSums[OUT / 2];
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
    key_step<C, OUT>(dkSums, dvSums, kTile, vTile, qTile, qTile + BYTES, queryStats[step % 2], row,
                     query, sequence, masked, panel, scale2);
  }
  __syncthreads();
  dk += token * dkStride + kvHead * width + panel * PANEL;
  dv += token * dvStride + kvHead * width + panel * PANEL;
  int columns = width - panel * PANEL;
  store_result<OUT, TILE>(dkSums, scale, scale, tiles, dk, dkStride, key, sequence, columns);
  store_result<OUT, TILE>(dvSums, 1.f, 1.f, tiles + BYTES, dv, dvStride, key, sequence, columns);
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
  key_gradient<64, 64>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                       kvStride, kvStride, dOutStride, dkvStride, dkvStride, 64, scale);
}

/** As attention_key_gradient_c64_bf16 with C 128; dynamic shared memory 100,864. */
extern "C" __global__ void __launch_bounds__(128, 2) attention_key_gradient_c128_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kvStride, int dOutStride, int dkvStride, float scale) {
  key_gradient<128, 128>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                         kvStride, kvStride, dOutStride, dkvStride, dkvStride, 128, scale);
}

/**
 * As attention_key_gradient_c64_bf16 with C = width, a multiple of 8 up to 64, and rows of k, v, dK
 * and dV as far apart as each wants.
 */
extern "C" __global__ void __launch_bounds__(128, 3) attention_key_gradient_to64_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int dOutStride, int dkStride, int dvStride, int width, float scale) {
  key_gradient<64, 64>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                       kStride, vStride, dOutStride, dkStride, dvStride, width, scale);
}

/** As attention_key_gradient_to64_bf16 with widths up to 128; dynamic shared memory 100,864. */
extern "C" __global__ void __launch_bounds__(128, 2) attention_key_gradient_to128_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int dOutStride, int dkStride, int dvStride, int width, float scale) {
  key_gradient<128, 128>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                         kStride, vStride, dOutStride, dkStride, dvStride, width, scale);
}

/**
 * As attention_key_gradient_to128_bf16 with widths 136 .. 256. Grid (2 * ceil(sequence / 64),
 * T / sequence * kvHeads), dynamic shared memory 199,168.
 */
extern "C" __global__ void __launch_bounds__(128, 1) attention_key_gradient_to256_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* dOut, const int* starts,
    const float2* stats, bf16* dk, bf16* dv, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int dOutStride, int dkStride, int dvStride, int width, float scale) {
  key_gradient<256, 128>(q, k, v, dOut, starts, stats, dk, dv, sequence, heads, kvHeads, qStride,
                         kStride, vStride, dOutStride, dkStride, dvStride, width, scale);
}
