// Tiles in shared memory and their products. A tile [ROWS, C] of bf16 lies as C / 64 panels of 64
// columns; a panel row is 128 bytes, and its 16-byte chunk c of row r sits at chunk c ^ (r % 8): the
// 128-byte swizzle of wgmma, free of bank conflicts for ldmatrix too. Tiles start at multiples of
// 1024 bytes. Four warps (a warpgroup) work on 64 rows; a thread holds of a [64, N] result the
// elements (16 * warp + lane / 4 + 8 * h, 8 * i + 2 * (lane % 4) + j) at [4 * i + 2 * h + j]. wgmma
// and mma.sync share this layout, so the algorithms above them are the same.
#pragma once

#include "attention_ptx.cuh"
#include "bf16.cuh"

constexpr int PANEL = 64;

template <int ROWS>
__device__ __forceinline__ unsigned tile_chunk(int row, int chunk) {
  return (unsigned)((chunk / 8) * ROWS * 128 + row * 128 + (((chunk % 8) ^ (row % 8)) * 16));
}

/**
 * Starts the copy of rows row .. row + ROWS - 1 of a matrix [rows, width] with row stride `stride`
 * into the tile [ROWS, C] at `to`; rows and columns past the end become 0. width is a multiple of 8.
 */
template <int ROWS, int C, int THREADS>
__device__ __forceinline__ void copy_tile(unsigned to, const bf16* matrix, long long stride,
                                          int row, int rows, int width) {
  constexpr int CHUNKS = C / 8;
  constexpr int STEP = THREADS / CHUNKS;
  int chunk = threadIdx.x % CHUNKS;
  int first = threadIdx.x / CHUNKS;
  const bf16* from = matrix + (row + first) * stride + chunk * 8;
#pragma unroll
  for (int i = 0; i < ROWS; i += STEP) {
    bool valid = row + first + i < rows && chunk * 8 < width;
    copy16(to + tile_chunk<ROWS>(first + i, chunk), valid ? from + i * stride : matrix, valid);
  }
}

template <int N>
__device__ __forceinline__ void clear(float (&d)[N]) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    d[i] = 0.f;
  }
}

/** Keeps the compiler from moving uses of d across the point where it stands. */
template <int N>
__device__ __forceinline__ void pin(float (&d)[N]) {
#if ATTENTION_WGMMA
#pragma unroll
  for (int i = 0; i < N; i++) {
    asm volatile("" : "+f"(d[i])::"memory");
  }
#endif
}

/** Opens a run of products: registers written before are ready for them. */
__device__ __forceinline__ void products_begin() {
#if ATTENTION_WGMMA
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
/** Closes a group of products. */
__device__ __forceinline__ void products_commit() {
#if ATTENTION_WGMMA
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
/** Waits until at most N groups are under way. */
template <int N>
__device__ __forceinline__ void products_wait() {
#if ATTENTION_WGMMA
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#endif
}

/**
 * d [64, N] = a b^T of the tiles at a (64 rows of a tile of A_ROWS; the address counts in the first
 * row) and b [N, C] (of a tile of B_ROWS).
 */
template <int N, int C, int A_ROWS, int B_ROWS>
__device__ __forceinline__ void product_transposed(float (&d)[N / 2], unsigned a, unsigned b) {
#if ATTENTION_WGMMA
#pragma unroll
  for (int k = 0; k < C / 16; k++) {
    unsigned inside = (k % 4) * 32;
    wgmma_shared<N>(d, descriptor(a + (k / 4) * A_ROWS * 128 + inside, 16),
                    descriptor(b + (k / 4) * B_ROWS * 128 + inside, 16), k > 0);
  }
#else
  int lane = threadIdx.x % 32;
  int aRow = threadIdx.x / 32 % 4 * 16 + lane % 16;
  int bRow = lane % 8 + lane / 16 * 8;
#pragma unroll
  for (int i = 0; i < N / 2; i++) {
    d[i] = 0.f;
  }
#pragma unroll
  for (int k = 0; k < C / 16; k++) {
    unsigned left[4];
    load_matrices(left, a + tile_chunk<A_ROWS>(aRow, 2 * k + lane / 16));
#pragma unroll
    for (int n = 0; n < N / 16; n++) {
      unsigned right[4];
      load_matrices(right, b + tile_chunk<B_ROWS>(16 * n + bRow, 2 * k + lane / 8 % 2));
      multiply_m16n8k16(d + 8 * n, left, right[0], right[1]);
      multiply_m16n8k16(d + 8 * n + 4, left, right[2], right[3]);
    }
  }
#endif
}

/** d [64, N] += a b, a [64, K] in registers as made by {@code pack}, b a tile [K, N]. */
template <int N, int K>
__device__ __forceinline__ void product(float (&d)[N / 2], const unsigned (&a)[K / 4], unsigned b) {
#if ATTENTION_WGMMA
  if constexpr (N > 128) {
    // Two halves of the columns: the panels of the second lie behind those of the first.
    static_assert(N == 256, "64, 128 or 256 columns");
    product<128, K>(*(float (*)[64])d, a, b);
    product<128, K>(*(float (*)[64])(d + 64), a, b + 2 * K * 128);
  } else {
#pragma unroll
    for (int k = 0; k < K / 16; k++) {
      wgmma_registers<N>(d, a + 4 * k, descriptor(b + k * 2048, K * 128));
    }
  }
#else
  int lane = threadIdx.x % 32;
  int bRow = lane % 16;
#pragma unroll
  for (int k = 0; k < K / 16; k++) {
#pragma unroll
    for (int n = 0; n < N / 16; n++) {
      unsigned right[4];
      load_matrices_transposed(right, b + tile_chunk<K>(16 * k + bRow, 2 * n + lane / 16));
      multiply_m16n8k16(d + 8 * n, a + 4 * k, right[0], right[1]);
      multiply_m16n8k16(d + 8 * n + 4, a + 4 * k, right[2], right[3]);
    }
  }
#endif
}

/** A result [64, K] rounded to bf16, as the left operand of {@code product}. */
template <int K>
__device__ __forceinline__ void pack(unsigned (&to)[K / 4], const float (&from)[K / 2]) {
#pragma unroll
  for (int i = 0; i < K / 4; i++) {
    to[i] = narrow2(from[2 * i], from[2 * i + 1]);
  }
}

/**
 * Writes a warpgroup's result [64, C], row r multiplied by scale[h], as bf16 to rows row .. row + 63
 * of a matrix [rows, width], through this warpgroup's 64 rows of a tile that nobody reads any more
 * (`through` counts in the first of them). 16-byte stores; rows and columns past the end are left
 * out.
 */
template <int C, int TILE_ROWS>
__device__ __forceinline__ void store_result(const float (&d)[C / 2], float scale0, float scale1,
                                             char* through, bf16* matrix, long long stride, int row,
                                             int rows, int width) {
  int lane = threadIdx.x % 32;
  int warpRow = threadIdx.x / 32 % 4 * 16;
#pragma unroll
  for (int i = 0; i < C / 8; i++) {
    unsigned word = lane % 4 * 4;
    unsigned at = tile_chunk<TILE_ROWS>(warpRow + lane / 4, i) + word;
    *(unsigned*)(through + at) = narrow2(d[4 * i] * scale0, d[4 * i + 1] * scale0);
    *(unsigned*)(through + at + 8 * 128) = narrow2(d[4 * i + 2] * scale1, d[4 * i + 3] * scale1);
  }
  __syncwarp();
  constexpr int CHUNKS = C / 8;
  int chunk = lane % CHUNKS;
#pragma unroll
  for (int i = lane / CHUNKS; i < 16; i += 32 / CHUNKS) {
    if (row + warpRow + i < rows && chunk * 8 < width) {
      uint4 value = *(const uint4*)(through + tile_chunk<TILE_ROWS>(warpRow + i, chunk));
      *(uint4*)(matrix + (row + warpRow + i) * stride + chunk * 8) = value;
    }
  }
}
