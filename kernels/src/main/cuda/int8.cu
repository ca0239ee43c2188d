// Weights in codes of 8 bits, each 128 elements on a grid of their own: what products read of them,
// and the update of APOLLO, which puts them on new grids. The sentences are those of Int8Grid.java.
#include "update.cuh"

/** Elements that share a grid (Int8Grid.GROUP), and those of one thread. */
#define GROUP 128
#define LANE_ELEMENTS 16
#define LANES (GROUP / LANE_ELEMENTS)
#define THREADS 256

typedef unsigned char byte;

/** A grid's scale and, in the bits that its mantissa leaves, its zero point. */
__device__ __forceinline__ float scale_of(unsigned word) {
  return __uint_as_float(word & 0xFFFFFF00u);
}
__device__ __forceinline__ int zero_of(unsigned word) { return (int)(word & 0xFFu); }

/** Numbers i to i + count - 1; those behind them are 0. */
__device__ __forceinline__ Floats<16> decode(
    const byte* codes, const unsigned* grids, long long i, int count) {
  Floats<16> values;
  unsigned grid = count > 0 ? grids[i / GROUP] : 0;
  float scale = scale_of(grid);
  int zero = zero_of(grid);
  unsigned words[4] = {0, 0, 0, 0};
  if (count == LANE_ELEMENTS) {
    uint4 all = *reinterpret_cast<const uint4*>(codes + i);
    words[0] = all.x;
    words[1] = all.y;
    words[2] = all.z;
    words[3] = all.w;
  } else {
#pragma unroll
    for (int j = 0; j < LANE_ELEMENTS; j++) {
      words[j / 4] |= (j < count ? (unsigned)codes[i + j] : 0u) << 8 * (j & 3);
    }
  }
#pragma unroll
  for (int j = 0; j < LANE_ELEMENTS; j++) {
    int code = (int)(words[j / 4] >> 8 * (j & 3) & 0xFFu);
    values.at[j] = j < count ? __fmul_rn((float)(code - zero), scale) : 0;
  }
  return values;
}

template <class T>
__device__ __forceinline__ void values(
    const byte* codes, const unsigned* grids, T* out, long long elements) {
  long long i = (blockIdx.x * (long long)THREADS + threadIdx.x) * LANE_ELEMENTS;
  long long left = elements - i;
  if (left <= 0) {
    return;
  }
  int count = left < LANE_ELEMENTS ? (int)left : LANE_ELEMENTS;
  Floats<16> found = decode(codes, grids, i, count);
  if (count == LANE_ELEMENTS) {
#pragma unroll
    for (int half = 0; half < LANE_ELEMENTS; half += 8) {
      Floats<8> eight;
#pragma unroll
      for (int j = 0; j < 8; j++) {
        eight.at[j] = found.at[half + j];
      }
      store<8>(out + i + half, eight);
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < LANE_ELEMENTS; j++) {
    if (j < count) {
      out[i + j] = narrow<T>(found.at[j]);
    }
  }
}

/*
 * out[i] = the number of code i, rounded to the type of out. Codes and out 16-byte aligned. Reads 1 byte an
 * element and 4 a group. Grid ceil(elements / (16 THREADS)), block THREADS.
 */
extern "C" __global__ void __launch_bounds__(THREADS) int8_values_bf16(
    const byte* codes, const unsigned* grids, bf16* out, long long elements) {
  values(codes, grids, out, elements);
}
extern "C" __global__ void __launch_bounds__(THREADS) int8_values_f32(
    const byte* codes, const unsigned* grids, float* out, long long elements) {
  values(codes, grids, out, elements);
}

/** Gradients i to i + count - 1. */
__device__ __forceinline__ Floats<16> gradients(
    const Tensor& tensor, bool narrow, long long i, int count) {
  Floats<16> values;
#pragma unroll
  for (int half = 0; half < LANE_ELEMENTS; half += 8) {
    Floats<8> eight{};
    if (count == LANE_ELEMENTS) {
      eight = load_source<8>(tensor, narrow, i + half);
    } else {
#pragma unroll
      for (int j = 0; j < 8; j++) {
        if (half + j < count) {
          eight.at[j] = load_source<1>(tensor, narrow, i + half + j).at[0];
        }
      }
    }
#pragma unroll
    for (int j = 0; j < 8; j++) {
      values.at[half + j] = eight.at[j];
    }
  }
  return values;
}

/** Codes of numbers i to i + 15 on a grid, rounded at random; `first` is the step times 2^32. */
__device__ __forceinline__ void encode(
    const Floats<16>& p, float scale, int zero, unsigned long long key, unsigned long long first,
    long long i, unsigned* words) {
#pragma unroll
  for (int half = 0; half < LANE_ELEMENTS; half += 8) {
    Counter block = philox((first + i + half) >> 3, key);
#pragma unroll
    for (int j = 0; j < 8; j++) {
      float steps = __fdiv_rn(p.at[half + j], scale);
      float below = floorf(steps);
      int random = (int)(block.word[j >> 1] >> 16 * (j & 1) & 0xFFFFu);
      int up = (int)__fmul_rn(__fsub_rn(steps, below), 65536.0f) > random ? 1 : 0;
      unsigned code = (unsigned)((int)below + up + zero) & 0xFFu;
      words[(half + j) / 4] |= code << 8 * (j & 3);
    }
  }
}

/** One group of eight lanes: p on a new grid; every lane of the warp calls it. */
__device__ __forceinline__ void put_on_grid(
    const Tensor& tensor, const Floats<16>& p, unsigned long long first, long long i, int count) {
  float low = 0, high = 0;
#pragma unroll
  for (int j = 0; j < LANE_ELEMENTS; j++) {
    low = j < count ? fminf(low, p.at[j]) : low;
    high = j < count ? fmaxf(high, p.at[j]) : high;
  }
#pragma unroll
  for (int apart = LANES / 2; apart > 0; apart /= 2) {
    low = fminf(low, __shfl_xor_sync(0xffffffffu, low, apart));
    high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, apart));
  }
  if (count <= 0) {
    return;
  }
  unsigned bits = __float_as_uint(__fdiv_rn(__fsub_rn(high, low), 253.0f));
  float scale = fmaxf(__uint_as_float((bits + 0xFFu) & 0xFFFFFF00u), 0x1p-64f);
  int zero = -(int)floorf(__fdiv_rn(low, scale));
  unsigned words[4] = {0, 0, 0, 0};
  encode(p, scale, zero, tensor.key, first, i, words);
  byte* codes = reinterpret_cast<byte*>(tensor.target) + i;
  if (count == LANE_ELEMENTS) {
    *reinterpret_cast<uint4*>(codes) = make_uint4(words[0], words[1], words[2], words[3]);
  } else {
#pragma unroll
    for (int j = 0; j < LANE_ELEMENTS; j++) {
      if (j < count) {
        codes[j] = (byte)(words[j / 4] >> 8 * (j & 3));
      }
    }
  }
  if (i % GROUP == 0) {
    reinterpret_cast<unsigned*>(tensor.copy)[i / GROUP] = __float_as_uint(scale) | (unsigned)zero;
  }
}

/*
 * ScaledUpdate of a parameter in codes. target = codes, copy = grids, key = of the rounding; source, first, second
 * and constant as of scaled_update, whose sentence this is. Reads and writes 4 bytes per element with a bf16
 * gradient, 6 with an fp32 one. scale[0] = 0 leaves everything. Fewer than 2^32 elements. Grid: pieces; block:
 * PIECE_THREADS.
 */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) scaled_update_int8(
    const Tensor* tensors, const Piece* pieces, const float* scale, const float* step) {
  if (scale[0] == 0) {
    return;
  }
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  const byte* codes = reinterpret_cast<const byte*>(tensor.target);
  const unsigned* grids = reinterpret_cast<const unsigned*>(tensor.copy);
  float multiplier = tensor.second[0];
  float keep = __fsub_rn(1, __fmul_rn(step[LEARNING_RATE], tensor.constant[0]));
  unsigned columns = (unsigned)tensor.constant[1];
  bool rows = tensor.constant[2] != 0;
  unsigned long long first = (unsigned long long)step[STEP] << 32;
  long long end = piece.offset + PIECE_ELEMENTS;
  end = end < tensor.elements ? end : tensor.elements;
  for (long long at = piece.offset; at < end; at += PIECE_THREADS * LANE_ELEMENTS) {
    long long i = at + threadIdx.x * LANE_ELEMENTS;
    long long left = end - i;
    int count = left < 0 ? 0 : left < LANE_ELEMENTS ? (int)left : LANE_ELEMENTS;
    Floats<16> p = decode(codes, grids, i, count);
    Floats<16> g = gradients(tensor, piece.narrow != 0, i, count);
    unsigned row = (unsigned)i / columns;
    unsigned column = (unsigned)i - row * columns;
#pragma unroll
    for (int j = 0; j < LANE_ELEMENTS; j++) {
      float factor = multiplier;
      if (tensor.first != nullptr && j < count) {
        factor = __fmul_rn(factor, tensor.first[rows ? row : column]);
      }
      p.at[j] = __fmul_rn(fmaf(-factor, g.at[j], p.at[j]), keep);
      if (++column == columns) {
        column = 0;
        row++;
      }
    }
    // Every lane has read its grid before one of them writes it.
    __syncwarp();
    put_on_grid(tensor, p, first, i, count);
  }
}
