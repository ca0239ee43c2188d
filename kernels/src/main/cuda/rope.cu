// Rotary position embedding, half-split layout (GPT-NeoX), on strided heads of q and k at once.
#include "bf16.cuh"

#define THREADS 256
/** Heads that share one read of the table. */
#define HEADS 4

template <class T>
struct Rope {
  const T* q_in;
  const T* k_in;
  T* q_out;
  T* k_out;
  const int* positions;
  const float* table;
  int* fault;
  int tokens, q_heads, k_heads, head_dim;
  int q_in_stride, k_in_stride, q_out_stride, k_out_stride;
  int table_rows, inverse;
};

template <class T, int N>
__device__ __forceinline__ void rope(const Rope<T>& args) {
  int half = args.head_dim / 2;
  unsigned parts = half / N;
  int heads = args.q_heads + args.k_heads;
  unsigned groups = (heads + HEADS - 1) / HEADS;
  unsigned item = blockIdx.x * THREADS + threadIdx.x;
  int first = item / parts % groups * HEADS;
  int token = item / parts / groups;
  int column = item % parts * N;
  if (token >= args.tokens) {
    return;
  }
  const T* from[HEADS];
  T* to[HEADS];
  Raw<T, N> left[HEADS], right[HEADS];
#pragma unroll
  for (int j = 0; j < HEADS; j++) {
    int head = first + j;
    bool is_q = head < args.q_heads;
    int at = (is_q ? head : head - args.q_heads) * args.head_dim + column;
    long long row = token;
    from[j] = (is_q ? args.q_in + row * args.q_in_stride : args.k_in + row * args.k_in_stride) + at;
    to[j] = (is_q ? args.q_out + row * args.q_out_stride : args.k_out + row * args.k_out_stride) + at;
    if (head < heads) {
      left[j] = load_raw<N>(from[j]);
      right[j] = load_raw<N>(from[j] + half);
    }
  }
  int position = args.positions[token];
  if (position < 0 || position >= args.table_rows) {
    if (args.fault != nullptr) {
      atomicMin(args.fault, token);
    }
    return;
  }
  const float* angles = args.table + (long long)position * args.head_dim + column;
  Floats<N> c = load<N>(angles);
  Floats<N> s = load<N>(angles + half);
#pragma unroll
  for (int j = 0; j < HEADS; j++) {
    if (first + j < heads) {
      Floats<N> a = unpack(left[j]);
      Floats<N> b = unpack(right[j]);
#pragma unroll
      for (int i = 0; i < N; i++) {
        float sine = args.inverse ? -s.at[i] : s.at[i];
        float x = a.at[i];
        float y = b.at[i];
        a.at[i] = fmaf(x, c.at[i], -__fmul_rn(y, sine));
        b.at[i] = fmaf(y, c.at[i], __fmul_rn(x, sine));
      }
      store<N>(to[j], a);
      store<N>(to[j] + half, b);
    }
  }
}

/*
 * For i < C/2 with (cos, sin) of the token's position: y[i] = x[i] cos - x[i + C/2] sin;
 * y[i + C/2] = x[i + C/2] cos + x[i] sin; inverse != 0 negates the sine (the gradient).
 * q [tokens, q_heads * C], k [tokens, k_heads * C], rows q_stride and k_stride apart (in and out may
 * be the same memory with the same stride); k_heads 0: q alone. positions I32 [tokens]; table fp32
 * [table_rows, C]: C/2 cosines, then C/2 sines. A position outside the table leaves its token as it
 * was and lowers *fault (unless null; start it at 2^31 - 1) to the smallest such token.
 * Grid ceil(tokens * ceil((q_heads + k_heads) / 4) * (C / 2 / N) / 256), block 256, where N is 8 if
 * C is a multiple of 16, strides are multiples of 8 and pointers 16-byte aligned, else 1; the
 * launcher passes the same `vectors` = 1 for N = 8, 0 for N = 1.
 */
#define ROPE_KERNEL(T, SUFFIX)                                                                     \
  extern "C" __global__ void __launch_bounds__(THREADS) rope_##SUFFIX(                             \
      const T* q_in, const T* k_in, T* q_out, T* k_out, const int* positions, const float* table,  \
      int* fault, int tokens, int q_heads, int k_heads, int head_dim, int q_in_stride,             \
      int k_in_stride, int q_out_stride, int k_out_stride, int table_rows, int inverse,            \
      int vectors) {                                                                               \
    Rope<T> args{q_in,        k_in,        q_out,        k_out,        positions,  table,          \
                 fault,       tokens,      q_heads,      k_heads,      head_dim,   q_in_stride,    \
                 k_in_stride, q_out_stride, k_out_stride, table_rows,  inverse};                   \
    vectors ? rope<T, 8>(args) : rope<T, 1>(args);                                                 \
  }

ROPE_KERNEL(bf16, bf16)
ROPE_KERNEL(float, f32)
