// A fingerprint of memory that no grid and no order changes: the sum modulo 2^64 of a mix of every
// word with its place. The mix is a bijection of 64 bits (SplitMix64, Steele et al. 2014), so one
// word that differs always shows.
#include "reduce.cuh"

__device__ __forceinline__ unsigned long long mixed(unsigned long long place, unsigned word) {
  unsigned long long z = (place << 32 | word) + 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

/* sum += mix of all words. Block 256, any grid; words 16-byte aligned. */
extern "C" __global__ void __launch_bounds__(256) hash_words(
    const unsigned* __restrict__ words, unsigned long long* sum, unsigned long long count) {
  __shared__ unsigned long long scratch[32];
  unsigned long long own = 0;
  unsigned long long thread = blockIdx.x * 256ull + threadIdx.x;
  unsigned long long threads = gridDim.x * 256ull;
  for (unsigned long long at = 4 * thread; at + 4 <= count; at += 4 * threads) {
    uint4 four = *reinterpret_cast<const uint4*>(words + at);
    own += mixed(at, four.x) + mixed(at + 1, four.y) + mixed(at + 2, four.z) + mixed(at + 3, four.w);
  }
  if (thread < count % 4) {
    unsigned long long at = count - count % 4 + thread;
    own += mixed(at, words[at]);
  }
  own = block_sum(own, scratch);
  if (threadIdx.x == 0) {
    atomicAdd(sum, own);
  }
}
