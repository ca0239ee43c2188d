// Counter-based normal numbers: Philox4x32-10 and Box-Muller in fp64.
#include "bf16.cuh"
#include "philox.cuh"

#define THREADS 256
/** Index of the step number in the step block (StepScalar.STEP). */
#define STEP 4
#define UNIT53 0x1.0p-53
#define TWO_PI 6.283185307179586

__device__ __forceinline__ double top53(unsigned low_word, unsigned high_word, int plus) {
  unsigned long long bits = ((unsigned long long)high_word << 32 | low_word) >> 11;
  return (double)(bits + plus) * UNIT53;
}

template <class T>
__device__ __forceinline__ void normal(
    const float* step, T* out, long long elements, unsigned long long key) {
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  long long stride = 2ll * gridDim.x * THREADS;
  for (long long i = 2ll * (blockIdx.x * THREADS + threadIdx.x); i < elements; i += stride) {
    Counter c = philox((first + i) >> 1, key);
    double radius = sqrt(-2.0 * log(top53(c.word[0], c.word[1], 1)));
    double sine, cosine;
    sincos(TWO_PI * top53(c.word[2], c.word[3], 0), &sine, &cosine);
    out[i] = narrow<T>((float)(radius * cosine));
    if (i + 1 < elements) {
      out[i + 1] = narrow<T>((float)(radius * sine));
    }
  }
}

/*
 * out[i] = number t * 2^32 + i of the stream `key`, t = step[STEP]. The 64-bit words are those of
 * Philox.java, bit for bit; log, cos and sin differ from StrictMath by at most 2 ulp of fp64, so a
 * result differs from the CPU's in the last bit of fp32 about once in 10^8 numbers, never more.
 * Grid ceil(elements / 512) or less, block 256.
 */
extern "C" __global__ void __launch_bounds__(THREADS) random_normal_f32(
    const float* step, float* out, long long elements, unsigned long long key) {
  normal(step, out, elements, key);
}
extern "C" __global__ void __launch_bounds__(THREADS) random_normal_bf16(
    const float* step, bf16* out, long long elements, unsigned long long key) {
  normal(step, out, elements, key);
}
