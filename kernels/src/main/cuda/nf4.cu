// Frozen weights of 4 bits as products read them. The sentences are those of Nf4Reader, and so are the
// bits: each product is rounded before the next one.
#include "bf16.cuh"

#define THREADS 256
/** Words of 8 codes that a thread unpacks. */
#define ITEMS 4

/** What a code of 4 bits and one of 8 bits stand for (Nf4, DynamicCode.SIGNED). */
struct Numbers {
  float level[16];
  float number[256];
};

/** Eight elements of a word; the first byte comes first, of each byte its high half. */
__device__ __forceinline__ Floats<8> unpack4(const float* level, unsigned word, float scale) {
  Floats<8> values;
#pragma unroll
  for (int j = 0; j < 8; j++) {
    values.at[j] = __fmul_rn(level[word >> 4 * (j ^ 1) & 15u], scale);
  }
  return values;
}

/**
 * A warp reads 32 neighbouring words of codes and writes 32 neighbouring runs of 16 bytes (bf16): the
 * matrix is four times its codes, so that its stores are what has to be whole lines; four words a
 * thread are under way at a time. 16 levels lie in 16 banks of shared memory: no two lanes wait for
 * each other. Eight lanes share a block's scale.
 */
template <class T>
__device__ __forceinline__ void dequantize(
    const unsigned* codes, const unsigned char* scales, const float* statistics,
    const Numbers* numbers, T* matrix, long long elements) {
  __shared__ Numbers table;
  for (int i = threadIdx.x; i < (int)(sizeof(Numbers) / 4); i += THREADS) {
    reinterpret_cast<float*>(&table)[i] = reinterpret_cast<const float*>(numbers)[i];
  }
  __syncthreads();
  unsigned words = (unsigned)((elements + 7) / 8);
  unsigned first = blockIdx.x * (THREADS * ITEMS) + threadIdx.x;
  float offset = statistics[0];
  unsigned word[ITEMS];
  float scale[ITEMS];
#pragma unroll
  for (int k = 0; k < ITEMS; k++) {
    unsigned at = first + k * THREADS;
    if (at < words) {
      word[k] = codes[at];
      float number = table.number[scales[at / 8]];
      scale[k] = __fadd_rn(__fmul_rn(number, statistics[1 + at / 2048]), offset);
    }
  }
#pragma unroll
  for (int k = 0; k < ITEMS; k++) {
    unsigned at = first + k * THREADS;
    if (at < words) {
      Floats<8> values = unpack4(table.level, word[k], scale[k]);
      long long to = 8LL * at;
      if (to + 8 <= elements) {
        store(matrix + to, values);
      } else {
#pragma unroll
        for (int j = 0; j < 8; j++) {
          if (to + j < elements) {
            matrix[to + j] = narrow<T>(values.at[j]);
          }
        }
      }
    }
  }
}

/* matrix, dense: codes a word for 8 elements, scales a byte for 64, statistics an offset, then a scale
   for 16384. Grid ceil(elements / 8192), block 256; elements < 2^35. */
extern "C" __global__ void __launch_bounds__(THREADS) dequantize_nf4_bf16(
    const unsigned* codes, const unsigned char* scales, const float* statistics,
    const Numbers* numbers, bf16* matrix, long long elements) {
  dequantize(codes, scales, statistics, numbers, matrix, elements);
}
extern "C" __global__ void __launch_bounds__(THREADS) dequantize_nf4_f32(
    const unsigned* codes, const unsigned char* scales, const float* statistics,
    const Numbers* numbers, float* matrix, long long elements) {
  dequantize(codes, scales, statistics, numbers, matrix, elements);
}
