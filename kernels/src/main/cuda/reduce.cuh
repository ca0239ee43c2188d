// Sums and maxima over a warp or a block, in an order that only the thread numbers decide.
#pragma once

#define ALL_LANES 0xffffffffu

/** Every lane gets the sum; butterfly, so all lanes hold the same bits. */
template <class F>
__device__ __forceinline__ F warp_sum(F value) {
#pragma unroll
  for (int apart = 16; apart > 0; apart /= 2) {
    value += __shfl_xor_sync(ALL_LANES, value, apart);
  }
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int apart = 16; apart > 0; apart /= 2) {
    value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, apart));
  }
  return value;
}

/**
 * Every thread of the block gets the sum. `scratch`: 32 elements of shared memory per call site in
 * flight; blockDim.x a multiple of 32. Ends with all threads past the reads of `scratch`.
 */
template <class F>
__device__ __forceinline__ F block_sum(F value, F* scratch) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) {
    scratch[threadIdx.x / 32] = value;
  }
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? scratch[threadIdx.x % 32] : F(0);
  value = warp_sum(value);
  __syncthreads();
  return value;
}

__device__ __forceinline__ float block_max(float value, float* scratch) {
  value = warp_max(value);
  if (threadIdx.x % 32 == 0) {
    scratch[threadIdx.x / 32] = value;
  }
  __syncthreads();
  value = scratch[threadIdx.x % 32 < blockDim.x / 32 ? threadIdx.x % 32 : 0];
  value = warp_max(value);
  __syncthreads();
  return value;
}
