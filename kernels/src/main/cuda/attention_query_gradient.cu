// Gradient of causal attention, deterministic: every output element has one owner that sums in one
// order. P = exp(S - lse); dV = P^T dO; dS = P * (dO V^T - D), D = rowsum(dO * O); dQ = scale dS K;
// dK = scale dS^T Q (Dao 2023, 2307.08691, section 3).
//
// Two kernels instead of one that adds dQ atomically: dQ by query tiles (3 products, D on the way),
// here, then dK and dV by key tiles (4 products), attention_key_gradient.cu, so scores are made
// twice: 7 products instead of 5. P and dS stay in registers as the left operand of the next
// product; nothing but inputs touches shared memory. Estimate at B 32, H 12, sequence 1024, C 64 on
// one H100: 52,224 tiles of 64 x 64, each 7 * 128 cycles of wgmma, 512 of exp2 and about 400 of
// fp32: 354,000 / 202,000 / 158,000 cycles an SM. Floor 208 us, expected 400-550 us at the overlap
// that 3-4 warpgroups an SM give. One kernel with an ordered chain for dQ would have a floor of
// 150 us plus 0.9 GB of fp32 read-modify-write in L2 (160 us) and waits along the chain: not
// clearly better, far more fragile.
#include "attention_product.cuh"

constexpr int TILE = 64;
constexpr float LOG2E = 1.4426950408889634f;

/**
 * D = rowsum(dO * O) of a warpgroup's 64 rows, two threads a row, and lse * log2(e) beside it, to
 * `rowStats` (shared, 64 of them) and to stats (global) for the second kernel. `dOut` is the first
 * of the 64 rows in shared memory.
 */
template <int C, int TILE_ROWS>
__device__ __forceinline__ void row_statistics(const char* dOut, const bf16* o, long long oStride,
                                               const float* lse, float2* rowStats, float2* stats,
                                               int row, int rows, int width) {
  int inside = threadIdx.x % 128 / 2;
  int half = threadIdx.x % 2;
  float sum = 0.f;
  bool valid = row + inside < rows;
  if (valid) {
    const bf16* from = o + (row + inside) * oStride;
#pragma unroll
    for (int i = 0; i < C / 16; i++) {
      int chunk = 2 * i + half;
      if (chunk * 8 < width) {
        Floats<8> a = load<8>(from + chunk * 8);
        Floats<8> b = load<8>((const bf16*)(dOut + tile_chunk<TILE_ROWS>(inside, chunk)));
#pragma unroll
        for (int j = 0; j < 8; j++) {
          sum = fmaf(a.at[j], b.at[j], sum);
        }
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
                                               int kStride, int vStride, int oStride,
                                               int dOutStride, int dqStride, int width,
                                               float scale) {
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
  k += token * kStride + kvHead * width;
  v += token * vStride + kvHead * width;
  const int* start = starts == nullptr ? nullptr : starts + token;
  int first = (start == nullptr ? 0 : start[row]) / TILE;
  int last = (min(row + ROWS, sequence) - 1) / TILE;
  copy_tile<ROWS, C, THREADS>(dOutTile, dOut + token * dOutStride + head * width, dOutStride, row,
                              sequence, width);
  copy_commit();
  copy_tile<ROWS, C, THREADS>(qTile, q + token * qStride + head * width, qStride, row, sequence,
                              width);
  copy_tile<TILE, C, THREADS>(kvTile, k, kStride, first * TILE, sequence, width);
  copy_tile<TILE, C, THREADS>(kvTile + KEY_BYTES, v, vStride, first * TILE, sequence, width);
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
  row_statistics<C, ROWS>(tiles + ROWS * C * 2 + group * 64 * 128,
                          o + token * oStride + head * width, oStride, lse + statRow,
                          rowStats + group * 64, stats + statRow, groupRow, sequence, width);
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
      copy_tile<TILE, C, THREADS>(next, k, kStride, (tile + 1) * TILE, sequence, width);
      copy_tile<TILE, C, THREADS>(next + KEY_BYTES, v, vStride, (tile + 1) * TILE, sequence, width);
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
                        dq + token * dqStride + head * width, dqStride, groupRow, sequence, width);
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
                        kvStride, kvStride, oStride, dOutStride, dqStride, 64, scale);
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
                         kvStride, kvStride, oStride, dOutStride, dqStride, 128, scale);
}

/**
 * As attention_query_gradient_c64_bf16 with C = width, a multiple of 8 up to 64, and rows of k and v
 * as far apart as each wants.
 */
extern "C" __global__ void __launch_bounds__(256, 2) attention_query_gradient_to64_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* o, const float* lse, const bf16* dOut,
    const int* starts, bf16* dq, float2* stats, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int oStride, int dOutStride, int dqStride, int width, float scale) {
  query_gradient<64, 2>(q, k, v, o, lse, dOut, starts, dq, stats, sequence, heads, kvHeads, qStride,
                        kStride, vStride, oStride, dOutStride, dqStride, width, scale);
}

/**
 * As attention_query_gradient_to64_bf16 with widths up to 128, launched as
 * attention_query_gradient_c128_bf16.
 */
extern "C" __global__ void __launch_bounds__(128, 2) attention_query_gradient_to128_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* o, const float* lse, const bf16* dOut,
    const int* starts, bf16* dq, float2* stats, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int oStride, int dOutStride, int dqStride, int width, float scale) {
  query_gradient<128, 1>(q, k, v, o, lse, dOut, starts, dq, stats, sequence, heads, kvHeads, qStride,
                         kStride, vStride, oStride, dOutStride, dqStride, width, scale);
}

/** As attention_query_gradient_to128_bf16 with widths up to 256; dynamic shared memory 198,144. */
extern "C" __global__ void __launch_bounds__(128, 1) attention_query_gradient_to256_bf16(
    const bf16* q, const bf16* k, const bf16* v, const bf16* o, const float* lse, const bf16* dOut,
    const int* starts, bf16* dq, float2* stats, int sequence, int heads, int kvHeads, int qStride,
    int kStride, int vStride, int oStride, int dOutStride, int dqStride, int width, float scale) {
  query_gradient<256, 1>(q, k, v, o, lse, dOut, starts, dq, stats, sequence, heads, kvHeads, qStride,
                         kStride, vStride, oStride, dOutStride, dqStride, width, scale);
}
