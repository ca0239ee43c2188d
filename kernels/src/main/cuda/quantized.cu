// AdamW whose moments are stored in 8 bits, each 256 elements with a scale of their own: a warp
// decodes a block, updates it and encodes it again. The sentences are those of QuantizedAdamWCpu.
#include "update.cuh"

/** Elements that share a scale (QuantizedAdamW.BLOCK). */
#define BLOCK_ELEMENTS 256
#define LANE_ELEMENTS 8
#define WARPS (PIECE_THREADS / 32)

/** What the codes stand for, and the middles between neighbours (DynamicCode), last one unused. */
struct Code {
  float number[256];
  float limit[256];
};

/** The nearest code of a number. */
__device__ __forceinline__ unsigned encode(const Code& code, float number) {
  int found = 0;
#pragma unroll
  for (int half = 128; half > 0; half /= 2) {
    found = number > code.limit[found + half - 1] ? found + half : found;
  }
  return (unsigned)found;
}

__device__ __forceinline__ Floats<8> decode(const Code& code, uint2 words, float scale) {
  Floats<8> values;
#pragma unroll
  for (int j = 0; j < 8; j++) {
    unsigned word = j < 4 ? words.x : words.y;
    values.at[j] = __fmul_rn(code.number[word >> 8 * (j & 3) & 0xFFu], scale);
  }
  return values;
}

/** Encodes the first `count` values of this lane; every lane of the warp calls it. */
__device__ __forceinline__ uint2 encode(
    const Code& code, const Floats<8>& values, int count, float* scale) {
  float largest = 0;
#pragma unroll
  for (int j = 0; j < 8; j++) {
    largest = j < count ? fmaxf(largest, fabsf(values.at[j])) : largest;
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, lanes));
  }
  if ((threadIdx.x & 31) == 0) {
    *scale = largest;
  }
  unsigned word[2] = {0, 0};
#pragma unroll
  for (int j = 0; j < 8; j++) {
    if (j < count) {
      float share = largest == 0 ? 0 : __fdiv_rn(values.at[j], largest);
      word[j / 4] |= encode(code, share) << 8 * (j & 3);
    }
  }
  return make_uint2(word[0], word[1]);
}

/** Values i to i + 7, the first `count` of them. */
template <class T>
__device__ __forceinline__ Floats<8> load_some(const T* from, int count) {
  if (count == LANE_ELEMENTS) {
    return load<8>(from);
  }
  Floats<8> values;
#pragma unroll
  for (int j = 0; j < 8; j++) {
    values.at[j] = j < count ? widen(from[j]) : 0;
  }
  return values;
}

template <class T>
__device__ __forceinline__ void store_some(T* to, const Floats<8>& values, int count) {
  if (count == LANE_ELEMENTS) {
    store<8>(to, values);
    return;
  }
#pragma unroll
  for (int j = 0; j < 8; j++) {
    if (j < count) {
      to[j] = narrow<T>(values.at[j]);
    }
  }
}

/** Two words of codes, of which only those of `count` elements exist. */
__device__ __forceinline__ uint2 load_words(const unsigned* from, int count) {
  return make_uint2(count > 0 ? from[0] : 0, count > 4 ? from[1] : 0);
}

__device__ __forceinline__ void store_words(unsigned* to, uint2 words, int count) {
  if (count > 4) {
    *reinterpret_cast<uint2*>(to) = words;
  } else if (count > 0) {
    to[0] = words.x;
  }
}

/** Elements i to i + count - 1 of a lane; every lane of the warp calls it. */
template <bool ROUNDED>
__device__ __forceinline__ void quantized_adamw(
    const Tensor& tensor, const AdamWNumbers& numbers, const Code* codes, long long i, int count,
    unsigned long long first) {
  unsigned* m_words = reinterpret_cast<unsigned*>(tensor.first) + i / 4;
  unsigned* v_words = reinterpret_cast<unsigned*>(tensor.second) + i / 4;
  long long blocks = (tensor.elements + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
  float* m_scale = reinterpret_cast<float*>(tensor.key) + i / BLOCK_ELEMENTS;
  float* v_scale = m_scale + blocks;
  Floats<8> m = decode(codes[0], load_words(m_words, count), *m_scale);
  Floats<8> v = decode(codes[1], load_words(v_words, count), *v_scale);
  __syncwarp();
  Floats<8> p = ROUNDED ? load_some(tensor.copy + i, count) : load_some(tensor.target + i, count);
  Floats<8> g = numbers.narrow
      ? load_some(reinterpret_cast<const bf16*>(tensor.source) + i, count)
      : load_some(tensor.source + i, count);
  adamw<8>(tensor, numbers, g, m, v, p);
  store_words(m_words, encode(codes[0], m, count, m_scale), count);
  store_words(v_words, encode(codes[1], v, count, v_scale), count);
  if constexpr (ROUNDED) {
    round_at_random<8>(p, (unsigned long long)tensor.target, first, i);
  } else {
    store_some(tensor.target + i, p, count);
  }
  if (tensor.copy != nullptr) {
    store_some(tensor.copy + i, p, count);
  }
}

template <bool ROUNDED>
__device__ __forceinline__ void quantized_piece(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step,
    const float* table) {
  __shared__ Code codes[2];
  if (scale[0] == 0) {
    return;
  }
  for (int i = threadIdx.x; i < (int)(sizeof(codes) / sizeof(float)); i += PIECE_THREADS) {
    reinterpret_cast<float*>(codes)[i] = table[i];
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  AdamWNumbers numbers = adamw_numbers(tensor, piece, scale, step);
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  __syncthreads();
  long long end = piece.offset + PIECE_ELEMENTS;
  end = end < tensor.elements ? end : tensor.elements;
  for (long long block = piece.offset + threadIdx.x / 32 * BLOCK_ELEMENTS; block < end;
       block += WARPS * BLOCK_ELEMENTS) {
    long long i = block + (threadIdx.x & 31) * LANE_ELEMENTS;
    long long left = end - i;
    int count = left < 0 ? 0 : left < LANE_ELEMENTS ? (int)left : LANE_ELEMENTS;
    quantized_adamw<ROUNDED>(tensor, numbers, codes, count > 0 ? i : block, count, first);
  }
}

/*
 * target = param, source = gradient (fp32 or bf16), first = codes of m, second = codes of v, key =
 * address of the scales of m and behind them those of v, copy = bf16 param or null; constant as of
 * adamw_tensors; table = numbers and limits of the signed code, then of the unsigned one. 18 bytes
 * per element, 16 with a bf16 gradient. scale[0] = 0 leaves everything. Grid: pieces; block:
 * PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) quantized_adamw_tensors(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step,
    const float* table) {
  quantized_piece<false>(tensors, pieces, scale, step, table);
}

/* The same for parameters without a master: copy = bf16 param, target = key of its rounding. 12
   bytes per element. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) quantized_adamw_tensors_rounded(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step,
    const float* table) {
  quantized_piece<true>(tensors, pieces, scale, step, table);
}
