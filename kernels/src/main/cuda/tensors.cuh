// Many tensors in one launch: a table of tensors and a table of pieces, both in device memory. One
// block per piece. Java mirrors the two layouts and the constant.
#pragma once
#include "bf16.cuh"

/** Elements of one piece, the last of a tensor excepted. */
#define PIECE_ELEMENTS 16384
#define PIECE_THREADS 256

/**
 * 72 bytes. What a kernel does not name may be null. All pointers 16-byte aligned.
 * target: what is written; source: what is read; first, second: state of an optimizer; copy: bf16
 * copy of target, null if there is none; constant: numbers of the kernel; key: of its random numbers.
 */
struct Tensor {
  float* target;
  const float* source;
  float* first;
  float* second;
  bf16* copy;
  long long elements;
  float constant[4];
  unsigned long long key;
};

/**
 * 16 bytes. Elements [offset, min(offset + PIECE_ELEMENTS, elements)) of one tensor. narrow: whether
 * its source is bf16, for kernels that take both; of a whole block, so no warp diverges.
 */
struct Piece {
  int tensor;
  int narrow;
  long long offset;
};

/**
 * Elements i to i + N - 1 of the source. A choice per load, not a body per type: two bodies cost
 * update kernels 12 registers and a fifth of the blocks that fit.
 */
template <int N>
__device__ __forceinline__ Floats<N> load_source(const Tensor& tensor, bool narrow, long long i) {
  return narrow ? load<N>(reinterpret_cast<const bf16*>(tensor.source) + i)
                : load<N>(tensor.source + i);
}

/** Calls body.apply<N>(i) for the elements i of this block's piece, N at a time. */
template <int N, class Body>
__device__ __forceinline__ void each_of_piece(const Tensor& tensor, const Piece& piece, Body body) {
  long long end = tensor.elements - piece.offset;
  end = piece.offset + (end < PIECE_ELEMENTS ? end : PIECE_ELEMENTS);
  long long whole = piece.offset + (end - piece.offset) / N * N;
  for (long long i = piece.offset + threadIdx.x * N; i < whole; i += PIECE_THREADS * N) {
    body.template apply<N>(i);
  }
  if (whole + threadIdx.x < end) {
    body.template apply<1>(whole + threadIdx.x);
  }
}
