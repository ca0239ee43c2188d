// Cross entropy: row losses, gradient over the logits, and the sums.
#include "bf16.cuh"
#include "reduce.cuh"

#define THREADS 512
#define UNROLL 4
#define IGNORED (-100)
#define LOG2E 1.4426950408889634f
/** Below every finite logit, and finite itself, so that exp(-inf - LOWEST) is 0. */
#define LOWEST (-3.402823466e38f)

/** Sum of exp(z - max) of what was seen. */
struct Online {
  float max, sum;

  template <int N>
  __device__ __forceinline__ void add(const Floats<N>& z, int count) {
    float top = max;
#pragma unroll
    for (int i = 0; i < N; i++) {
      top = i < count ? fmaxf(top, z.at[i]) : top;
    }
    sum *= exp2f((max - top) * LOG2E);
    max = top;
#pragma unroll
    for (int i = 0; i < N; i++) {
      sum += i < count ? exp2f((z.at[i] - max) * LOG2E) : 0;
    }
  }
};

template <class T>
struct Loss {
  T* logits;
  const int* targets;
  float* losses;
  int* fault;
  int vocabulary, stride;
};

template <class T, int N>
__device__ __forceinline__ void zero_row(T* row, int stride) {
  for (int i = threadIdx.x; i < stride / N; i += THREADS) {
    store<N>(row + i * N, Floats<N>{});
  }
}

/**
 * The row is read once from memory: what fits stays in shared memory as `cache`, the rest is read
 * again.
 */
template <class T, int N, bool GRADIENT>
__device__ __forceinline__ void cross_entropy(const Loss<T>& args, int row) {
  extern __shared__ uint4 dynamic[];
  __shared__ float scratch[32];
  Raw<T, N>* cache = reinterpret_cast<Raw<T, N>*>(dynamic);
  unsigned bytes;
  asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
  int cached = GRADIENT ? bytes / sizeof(Raw<T, N>) : 0;
  T* line = args.logits + (long long)row * args.stride;
  int target = args.targets[row];
  bool valid = target >= 0 && target < args.vocabulary;
  if (!valid) {
    if (threadIdx.x == 0) {
      args.losses[row] = 0;
      if (target != IGNORED && args.fault != nullptr) {
        atomicMin(args.fault, row);
      }
    }
    if (GRADIENT) {
      zero_row<T, N>(line, args.stride);
    }
    return;
  }
  float z_target = widen(line[target]);
  int vectors = (args.vocabulary + N - 1) / N;
  Online online{LOWEST, 0};
  for (int base = threadIdx.x; base < vectors; base += THREADS * UNROLL) {
    Raw<T, N> raw[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      int i = base + u * THREADS;
      if (i < vectors) {
        raw[u] = load_raw<N>(line + i * N);
      }
    }
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      int i = base + u * THREADS;
      if (i < vectors) {
        if (i < cached) {
          cache[i] = raw[u];
        }
        online.add(unpack(raw[u]), args.vocabulary - i * N);
      }
    }
  }
  float max = block_max(online.max, scratch);
  float sum = block_sum(online.sum * exp2f((online.max - max) * LOG2E), scratch);
  // The barriers above lie between every read of the target's logit and the first write below.
  if (threadIdx.x == 0) {
    args.losses[row] = (float)((double)max - z_target + logf(sum));
  }
  if (!GRADIENT) {
    return;
  }
  float inverse = 1 / sum;
  int all = args.stride / N;
#pragma unroll 2
  for (int i = threadIdx.x; i < all; i += THREADS) {
    Floats<N> z{};
    if (i < vectors) {
      z = unpack(i < cached ? cache[i] : load_raw<N>(line + i * N));
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
      int column = i * N + j;
      float p = exp2f((z.at[j] - max) * LOG2E) * inverse;
      p = column == target ? p - 1 : p;
      z.at[j] = column < args.vocabulary ? p : 0;
    }
    store<N>(line + i * N, z);
  }
}

/*
 * losses[row] = lse(z) - z[target], fp32, 0 for target -100; with gradient: z[v] = exp(z[v] - lse) -
 * [v = target] over the logits, 0 in ignored rows and in the padding [vocabulary, stride).
 * logits [rows, stride], targets I32 [rows]. Another target outside [0, vocabulary) counts as
 * ignored and lowers *fault (unless null; start it at 2^31 - 1) to the smallest such row.
 * 16-byte accesses when stride is a multiple of 8 and logits 16-byte aligned.
 * Grid rows, block 512. Gradient variants want dynamic shared memory: min(stride * sizeof(T) rounded
 * down to 16, 112 KiB) for two blocks per SM; any multiple of 16 is right, 0 too.
 */
#define LOSS_KERNELS(T, SUFFIX)                                                                    \
  extern "C" __global__ void __launch_bounds__(THREADS, 2) cross_entropy_##SUFFIX(                 \
      T* logits, const int* targets, float* losses, int* fault, int vocabulary, int stride) {      \
    Loss<T> args{logits, targets, losses, fault, vocabulary, stride};                              \
    if (aligned8(logits, stride)) {                                                                \
      cross_entropy<T, 8, false>(args, gridDim.x - 1 - blockIdx.x);                                \
    } else {                                                                                       \
      cross_entropy<T, 1, false>(args, gridDim.x - 1 - blockIdx.x);                                \
    }                                                                                              \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(THREADS, 2) cross_entropy_gradient_##SUFFIX(        \
      T* logits, const int* targets, float* losses, int* fault, int vocabulary, int stride) {      \
    Loss<T> args{logits, targets, losses, fault, vocabulary, stride};                              \
    if (aligned8(logits, stride)) {                                                                \
      cross_entropy<T, 8, true>(args, gridDim.x - 1 - blockIdx.x);                                 \
    } else {                                                                                       \
      cross_entropy<T, 1, true>(args, gridDim.x - 1 - blockIdx.x);                                 \
    }                                                                                              \
  }

LOSS_KERNELS(bf16, bf16)
LOSS_KERNELS(float, f32)

/* loss_sum[0] = sum of losses in fp64, fixed order; token_count[0] = number of targets in
   [0, vocabulary). Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) loss_total(
    const float* losses, const int* targets, float* loss_sum, float* token_count, int rows,
    int vocabulary) {
  __shared__ double scratch[32];
  __shared__ int counts[32];
  double sum = 0;
  int count = 0;
#pragma unroll 8
  for (int row = threadIdx.x; row < rows; row += 1024) {
    sum += losses[row];
    count += targets[row] >= 0 && targets[row] < vocabulary;
  }
  sum = block_sum(sum, scratch);
  count = block_sum(count, counts);
  if (threadIdx.x == 0) {
    loss_sum[0] = (float)sum;
    token_count[0] = (float)count;
  }
}

/* sums = a pair of fp32 numbers that holds a sum exactly, to which the losses are added as multiples
   of 2^-24; token_count[0] += number of targets in [0, vocabulary) if `counts`, NaN if a loss is
   not finite. Every order gives the same bits below 2^24. Grid 1, block 1024. */
extern "C" __global__ void __launch_bounds__(1024) loss_add(
    const float* losses, const int* targets, float* sums, float* token_count, int rows,
    int vocabulary, int counts) {
  __shared__ double scratch[32];
  __shared__ int numbers[32];
  double sum = 0;
  int count = 0;
#pragma unroll 8
  for (int row = threadIdx.x; row < rows; row += 1024) {
    sum += rint((double)losses[row] * 0x1.0p24) * 0x1.0p-24;
    count += targets[row] >= 0 && targets[row] < vocabulary;
  }
  sum = block_sum(sum, scratch);
  count = block_sum(count, numbers);
  if (threadIdx.x == 0) {
    sum += (double)sums[0] + (double)sums[1];
    float high = (float)sum;
    sums[0] = high;
    sums[1] = (float)(sum - (double)high);
    float seen = token_count[0] + (counts ? (float)count : 0.0f);
    token_count[0] = fabs(sum) <= 1.797e308 ? seen : __int_as_float(0x7FFFFFFF);
  }
}
