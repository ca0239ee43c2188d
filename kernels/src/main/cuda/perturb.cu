// Weights at both points of a zeroth-order step, the slope between them, and the update along it.
// Random numbers are those of HalfwordNormal.java bit for bit: nothing here is contracted by the
// compiler that is not a written fma, and no function of the device's own precision is called.
#include "bf16.cuh"
#include "philox.cuh"
#include "round.cuh"

#define THREADS 256
/** Elements of one Philox block, and of one thread at a time. */
#define LANES 8
#define STEP 4
#define LEARNING_RATE 0
#define TWO_LN2 1.3862944f
#define LEAST 0x1.0p-16f
#define ANGLE 9.58738e-5f

/** Two normal numbers of one word. */
__device__ __forceinline__ void normal_pair(unsigned word, float& first, float& second) {
  unsigned bits = __float_as_uint((float)(word >> 15 | 1));
  float exponent = (float)((int)(bits >> 23) - 144);
  float t = __fsub_rn(__uint_as_float((bits & 0x7FFFFFu) | 0x3F800000u), 1.0f);
  float log = fmaf(-0.0643169f, t, 0.2721255f);
  log = fmaf(log, t, -0.57894956f);
  log = fmaf(log, t, 0.98381792f);
  log = fmaf(log, t, -1.99899112f);
  float square = fmaxf(fmaf(log, t, __fmul_rn(-TWO_LN2, exponent)), LEAST);
  float half = __fmul_rn(-0.5f, square);
  float y = __uint_as_float(0x5F375A86u - (__float_as_uint(square) >> 1));
  y = __fmul_rn(y, fmaf(__fmul_rn(half, y), y, 1.5f));
  y = __fmul_rn(y, fmaf(__fmul_rn(half, y), y, 1.5f));
  float rho = __fmul_rn(square, y);
  float angle = fmaf((float)(word & 0x1FFFu), ANGLE, 0.5f * ANGLE);
  float angle2 = __fmul_rn(angle, angle);
  float sine = __fmul_rn(
      angle, fmaf(fmaf(0.0083333f, angle2, -0.1666667f), angle2, 1.0f));
  float cosine =
      fmaf(fmaf(fmaf(-0.0013889f, angle2, 0.0416667f), angle2, -0.5f), angle2, 1.0f);
  bool swap = (word & 0x2000u) != 0;
  float a = __fmul_rn(rho, swap ? sine : cosine);
  float b = __fmul_rn(rho, swap ? cosine : sine);
  first = __uint_as_float(__float_as_uint(a) ^ (word << 16 & 0x80000000u));
  second = __uint_as_float(__float_as_uint(b) ^ (word << 17 & 0x80000000u));
}

/** Numbers of elements 8 * block to 8 * block + 7. */
__device__ __forceinline__ Floats<LANES> normals(
    unsigned long long block, unsigned step, unsigned direction, unsigned long long key) {
  Counter words =
      philox(Counter{{(unsigned)block, (unsigned)(block >> 32), step, direction}}, key);
  Floats<LANES> z;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    normal_pair(words.word[i], z.at[2 * i], z.at[2 * i + 1]);
  }
  return z;
}

/** Elements from `first` on, 8 or what is left; the rest is 0. */
template <class T>
__device__ __forceinline__ Floats<LANES> load_lanes(const T* from, long long first, int count) {
  if (count == LANES) {
    return load<LANES>(from + first);
  }
  Floats<LANES> values{};
#pragma unroll
  for (int i = 0; i < LANES; i++) {
    if (i < count) {
      values.at[i] = widen(from[first + i]);
    }
  }
  return values;
}

template <class T>
__device__ __forceinline__ void store_lanes(
    T* to, long long first, int count, const Floats<LANES>& values) {
  if (count == LANES) {
    store<LANES>(to + first, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < LANES; i++) {
    if (i < count) {
      to[first + i] = narrow<T>(values.at[i]);
    }
  }
}

__device__ __forceinline__ int lanes_left(long long elements, long long first) {
  return elements - first < LANES ? (int)(elements - first) : LANES;
}

template <class S, class T>
__device__ __forceinline__ void perturb(
    const S* p, const float* threshold, const float* step, T* plus, T* minus, long long elements,
    unsigned long long key, float eps, unsigned direction) {
  float bound = threshold != nullptr ? threshold[0] : __int_as_float(0x7F800000);
  unsigned now = (unsigned)step[STEP];
  long long stride = (long long)gridDim.x * THREADS;
  long long blocks = (elements + LANES - 1) / LANES;
  for (long long b = (long long)blockIdx.x * THREADS + threadIdx.x; b < blocks; b += stride) {
    int count = lanes_left(elements, b * LANES);
    Floats<LANES> weights = load_lanes(p, b * LANES, count);
    Floats<LANES> up = normals(b, now, direction, key);
    Floats<LANES> down;
#pragma unroll
    for (int i = 0; i < LANES; i++) {
      float z = up.at[i];
      float shift = fabsf(weights.at[i]) <= bound ? eps : 0.0f;
      up.at[i] = fmaf(shift, z, weights.at[i]);
      down.at[i] = fmaf(-shift, z, weights.at[i]);
    }
    store_lanes(plus, b * LANES, count, up);
    store_lanes(minus, b * LANES, count, down);
  }
}

/*
 * plus = p + eps z, minus = p - eps z; where threshold is not null z counts for |p| <= threshold[0]
 * alone. All 16-byte aligned and dense. Reads and writes 6 bytes an element in bf16. Grid ceil(
 * elements / 2048) or less, block 256.
 */
#define PERTURB(S, T, SUFFIX)                                                                      \
  extern "C" __global__ void __launch_bounds__(THREADS) perturb_##SUFFIX(                          \
      const S* p, const float* threshold, const float* step, T* plus, T* minus,                    \
      long long elements, unsigned long long key, float eps, int direction) {                      \
    perturb(p, threshold, step, plus, minus, elements, key, eps, direction);                       \
  }

PERTURB(float, float, f32_f32)
PERTURB(float, bf16, f32_bf16)
PERTURB(bf16, bf16, bf16_bf16)

/** New values of 8 elements from their old ones; masked ones keep theirs. */
__device__ __forceinline__ Floats<LANES> moved(
    const Floats<LANES>& weights, const float* projected, const float* step, long long block,
    unsigned long long key, int directions, float decay) {
  float rate = step[LEARNING_RATE];
  unsigned now = (unsigned)step[STEP];
  float keep = __fsub_rn(1.0f, __fmul_rn(rate, decay));
  float share = __fdiv_rn(rate, (float)directions);
  Floats<LANES> sum;
#pragma unroll
  for (int i = 0; i < LANES; i++) {
    sum.at[i] = __fmul_rn(weights.at[i], keep);
  }
  for (int j = 0; j < directions; j++) {
    float factor = -__fmul_rn(share, projected[j]);
    Floats<LANES> z = normals(block, now, j, key);
#pragma unroll
    for (int i = 0; i < LANES; i++) {
      sum.at[i] = fmaf(factor, z.at[i], sum.at[i]);
    }
  }
  return sum;
}

__device__ __forceinline__ void keep_masked(
    Floats<LANES>& sum, const Floats<LANES>& weights, const float* threshold) {
  if (threshold != nullptr) {
    float bound = threshold[0];
#pragma unroll
    for (int i = 0; i < LANES; i++) {
      sum.at[i] = fabsf(weights.at[i]) <= bound ? sum.at[i] : weights.at[i];
    }
  }
}

/*
 * p = p (1 - lr decay) - (lr / directions) sum of projected[j] z_j; copy = bf16 of p unless null.
 * scale[0] = 0 leaves everything; threshold as above. Grid and block as above.
 */
extern "C" __global__ void __launch_bounds__(THREADS) mezo_update(
    float* p, bf16* copy, const float* projected, const float* scale, const float* threshold,
    const float* step, long long elements, unsigned long long key, int directions, float decay) {
  if (scale[0] == 0) {
    return;
  }
  long long stride = (long long)gridDim.x * THREADS;
  long long blocks = (elements + LANES - 1) / LANES;
  for (long long b = (long long)blockIdx.x * THREADS + threadIdx.x; b < blocks; b += stride) {
    int count = lanes_left(elements, b * LANES);
    Floats<LANES> weights = load_lanes(p, b * LANES, count);
    Floats<LANES> sum = moved(weights, projected, step, b, key, directions, decay);
    keep_masked(sum, weights, threshold);
    store_lanes(p, b * LANES, count, sum);
    if (copy != nullptr) {
      store_lanes(copy, b * LANES, count, sum);
    }
  }
}

/*
 * As mezo_update for a parameter in bf16 alone, rounded at random: r of element i is the 16-bit lane
 * i mod 8 of Philox block (step 2^32 + i) / 8 of `rounding`. Reads and writes 4 bytes an element.
 */
extern "C" __global__ void __launch_bounds__(THREADS) mezo_update_rounded(
    bf16* p, const float* projected, const float* scale, const float* threshold, const float* step,
    long long elements, unsigned long long key, unsigned long long rounding, int directions,
    float decay) {
  if (scale[0] == 0) {
    return;
  }
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  long long stride = (long long)gridDim.x * THREADS;
  long long blocks = (elements + LANES - 1) / LANES;
  for (long long b = (long long)blockIdx.x * THREADS + threadIdx.x; b < blocks; b += stride) {
    int count = lanes_left(elements, b * LANES);
    Floats<LANES> weights = load_lanes(p, b * LANES, count);
    Floats<LANES> sum = moved(weights, projected, step, b, key, directions, decay);
    Counter random = philox((first >> 3) + b, rounding);
#pragma unroll
    for (int i = 0; i < LANES; i++) {
      unsigned r = random.word[i / 2] >> 16 * (i & 1) & 0xFFFFu;
      sum.at[i] = round_at_random(sum.at[i], r);
    }
    keep_masked(sum, weights, threshold);
    store_lanes(p, b * LANES, count, sum);
  }
}

/*
 * Slopes along the directions from the sums of all ranks, each a pair of fp32 numbers:
 * all [ranks][S+_0, S-_0, ... as pairs, tokens, votes]. results = scale, loss sum, tokens, norm,
 * votes; ProjectedGradient.java says what they are. Everything in fp64, ranks in order. Grid 1,
 * block 1.
 */
extern "C" __global__ void projected_gradient(
    const float* all, float* projected, float* scale, float* loss_sum, float* token_count,
    float* norm, float* stop_votes, int directions, int ranks, float eps) {
  int width = 4 * directions + 2;
  double tokens = 0;
  double votes = 0;
  for (int rank = 0; rank < ranks; rank++) {
    tokens += all[rank * width + width - 2];
    votes += all[rank * width + width - 1];
  }
  double total = 0;
  double squares = 0;
  bool usable = tokens > 0;
  for (int j = 0; j < directions; j++) {
    double up = 0;
    double down = 0;
    for (int rank = 0; rank < ranks; rank++) {
      const float* own = all + rank * width + 4 * j;
      up += (double)own[0] + (double)own[1];
      down += (double)own[2] + (double)own[3];
    }
    double slope = (up / tokens - down / tokens) / (2.0 * (double)eps);
    total += up + down;
    squares = __dadd_rn(squares, __dmul_rn(slope, slope));
    projected[j] = (float)slope;
    usable = usable && fabsf((float)slope) <= 3.402823466e38f;
  }
  for (int j = 0; j < directions && !usable; j++) {
    projected[j] = 0;
  }
  scale[0] = usable ? (float)(1 / tokens) : 0.0f;
  loss_sum[0] = (float)(total / (2 * directions));
  token_count[0] = (float)tokens;
  norm[0] = (float)sqrt(squares / directions);
  stop_votes[0] = (float)votes;
}
