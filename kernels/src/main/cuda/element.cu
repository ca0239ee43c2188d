// Operations that treat every element alike. Matrices are [rows, width] with a row stride in
// elements each; a flat tensor is one matrix of any rows * width. 8 elements per access when all
// pointers are 16-byte aligned and width and all strides are multiples of 8, else one.
//
// Launch of every matrix kernel here: grid ceil(rows * width / 4096), block 256; rows * width below
// 2^32. Outputs may lie over inputs of the same place and stride.
#include "tensors.cuh"

#define THREADS 256
/** Vectors per thread, loaded before the first is used. */
#define UNROLL 2
#define GRID_ELEMENTS (THREADS * UNROLL * 8)

/**
 * Calls body.load(row, column) UNROLL times, then body.finish(row, column, loaded) as often, until
 * this block's share is done.
 */
template <int N, class Body>
__device__ __forceinline__ void each(int rows, int width, Body body) {
  unsigned per_row = width / N;
  unsigned total = (unsigned)rows * per_row;
  unsigned begin = blockIdx.x * (GRID_ELEMENTS / N);
  for (unsigned done = 0; done < GRID_ELEMENTS / N; done += THREADS * UNROLL) {
    decltype(body.load(0, 0)) loaded[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      unsigned i = begin + done + u * THREADS + threadIdx.x;
      if (i < total) {
        loaded[u] = body.load(i / per_row, i % per_row * N);
      }
    }
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      unsigned i = begin + done + u * THREADS + threadIdx.x;
      if (i < total) {
        body.finish(i / per_row, i % per_row * N, loaded[u]);
      }
    }
  }
}

/** A matrix seen as rows. */
template <class T>
struct Matrix {
  T* data;
  int stride;
  __device__ __forceinline__ T* at(int row, int column) const {
    return data + (long long)row * stride + column;
  }
  __device__ __forceinline__ bool aligned() const { return aligned8(data, stride); }
};

/** exp at the precision the storage can show: for bf16 the fast one (2 ulp + |x| 2^-24). */
template <class T>
__device__ __forceinline__ float exponential(float x) {
  return sizeof(T) == 2 ? __expf(x) : expf(x);
}

template <class T>
__device__ __forceinline__ float sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + exponential<T>(-x));
}

#define GELU_ROOT 0.7978845608028654f
#define GELU_CUBE 0.044715f

/** x * sigmoid(2u) is 0.5 x (1 + tanh u). */
template <class T>
__device__ __forceinline__ float gelu(float x) {
  float u = GELU_ROOT * (x + GELU_CUBE * x * x * x);
  return x * sigmoid<T>(2 * u);
}

template <class T>
__device__ __forceinline__ float gelu_slope(float x) {
  float u = GELU_ROOT * (x + GELU_CUBE * x * x * x);
  float slope = GELU_ROOT * (1 + 3 * GELU_CUBE * x * x);
  float s = sigmoid<T>(2 * u);
  return s + 2 * x * s * (1 - s) * slope;
}

template <class A, class Y, int N, class F>
struct Unary {
  Matrix<const A> x;
  Matrix<Y> y;
  F f;
  __device__ __forceinline__ Raw<A, N> load(int row, int column) {
    return load_raw<N>(x.at(row, column));
  }
  __device__ __forceinline__ void finish(int row, int column, const Raw<A, N>& loaded) {
    Floats<N> v = unpack(loaded);
#pragma unroll
    for (int i = 0; i < N; i++) {
      v.at[i] = f(v.at[i]);
    }
    store<N>(y.at(row, column), v);
  }
};

template <class A, class Y, class F>
__device__ __forceinline__ void unary(Matrix<const A> x, Matrix<Y> y, int rows, int width, F f) {
  if (x.aligned() && y.aligned() && width % 8 == 0) {
    each<8>(rows, width, Unary<A, Y, 8, F>{x, y, f});
  } else {
    each<1>(rows, width, Unary<A, Y, 1, F>{x, y, f});
  }
}

template <class T, int N, class F>
struct Binary {
  Matrix<const T> a, b;
  Matrix<T> y;
  F f;
  struct Loaded {
    Raw<T, N> a, b;
  };
  __device__ __forceinline__ Loaded load(int row, int column) {
    return {load_raw<N>(a.at(row, column)), load_raw<N>(b.at(row, column))};
  }
  __device__ __forceinline__ void finish(int row, int column, const Loaded& loaded) {
    Floats<N> v = unpack(loaded.a);
    Floats<N> w = unpack(loaded.b);
#pragma unroll
    for (int i = 0; i < N; i++) {
      v.at[i] = f(v.at[i], w.at[i]);
    }
    store<N>(y.at(row, column), v);
  }
};

template <class T, class F>
__device__ __forceinline__ void binary(
    Matrix<const T> a, Matrix<const T> b, Matrix<T> y, int rows, int width, F f) {
  if (a.aligned() && b.aligned() && y.aligned() && width % 8 == 0) {
    each<8>(rows, width, Binary<T, 8, F>{a, b, y, f});
  } else {
    each<1>(rows, width, Binary<T, 1, F>{a, b, y, f});
  }
}

template <class T, int N>
struct SwiGluGradient {
  Matrix<const T> gate, up, dy;
  Matrix<T> dgate, dup, y;
  struct Loaded {
    Raw<T, N> gate, up, dy;
  };
  __device__ __forceinline__ Loaded load(int row, int column) {
    return {load_raw<N>(gate.at(row, column)), load_raw<N>(up.at(row, column)),
            load_raw<N>(dy.at(row, column))};
  }
  __device__ __forceinline__ void finish(int row, int column, const Loaded& loaded) {
    Floats<N> g = unpack(loaded.gate);
    Floats<N> u = unpack(loaded.up);
    Floats<N> d = unpack(loaded.dy);
    Floats<N> a;
#pragma unroll
    for (int i = 0; i < N; i++) {
      float s = sigmoid<T>(g.at[i]);
      float silu = g.at[i] * s;
      a.at[i] = silu * u.at[i];
      g.at[i] = d.at[i] * u.at[i] * s * fmaf(g.at[i], 1 - s, 1.0f);
      u.at[i] = d.at[i] * silu;
    }
    store<N>(dgate.at(row, column), g);
    store<N>(dup.at(row, column), u);
    if (y.data != nullptr) {
      store<N>(y.at(row, column), a);
    }
  }
};

template <class T, int N>
struct BiasAdd {
  Matrix<T> y;
  const T* bias;
  __device__ __forceinline__ Raw<T, N> load(int row, int column) {
    return load_raw<N>(y.at(row, column));
  }
  __device__ __forceinline__ void finish(int row, int column, const Raw<T, N>& loaded) {
    Floats<N> v = unpack(loaded);
    Floats<N> b = load<N>(bias + column);
#pragma unroll
    for (int i = 0; i < N; i++) {
      v.at[i] += b.at[i];
    }
    store<N>(y.at(row, column), v);
  }
  template <int M>
  static __device__ __forceinline__ Floats<M> load(const T* from) {
    return unpack(load_raw<M>(from));
  }
};

#define MATRIX_KERNELS(T, SUFFIX)                                                                  \
  /* y = a + b */                                                                                  \
  extern "C" __global__ void __launch_bounds__(THREADS) add_##SUFFIX(                              \
      const T* a, const T* b, T* y, int rows, int width, int a_stride, int b_stride,               \
      int y_stride) {                                                                              \
    binary<T>({a, a_stride}, {b, b_stride}, {y, y_stride}, rows, width,                            \
              [](float p, float q) { return p + q; });                                             \
  }                                                                                                \
  /* y = gelu(x), tanh form */                                                                     \
  extern "C" __global__ void __launch_bounds__(THREADS) gelu_##SUFFIX(                             \
      const T* x, T* y, int rows, int width, int x_stride, int y_stride) {                         \
    unary<T, T>({x, x_stride}, {y, y_stride}, rows, width, [](float p) { return gelu<T>(p); });    \
  }                                                                                                \
  /* dx = dy * gelu'(x) */                                                                         \
  extern "C" __global__ void __launch_bounds__(THREADS) gelu_gradient_##SUFFIX(                    \
      const T* x, const T* dy, T* dx, int rows, int width, int x_stride, int dy_stride,            \
      int dx_stride) {                                                                             \
    binary<T>({x, x_stride}, {dy, dy_stride}, {dx, dx_stride}, rows, width,                        \
              [](float p, float d) { return d * gelu_slope<T>(p); });                              \
  }                                                                                                \
  /* y = gate * sigmoid(gate) * up */                                                              \
  extern "C" __global__ void __launch_bounds__(THREADS) swiglu_##SUFFIX(                           \
      const T* gate, const T* up, T* y, int rows, int width, int gate_stride, int up_stride,       \
      int y_stride) {                                                                              \
    binary<T>({gate, gate_stride}, {up, up_stride}, {y, y_stride}, rows, width,                    \
              [](float g, float u) { return g * sigmoid<T>(g) * u; });                             \
  }                                                                                                \
  /* s = sigmoid(gate); dgate = dy up s (1 + gate (1 - s)); dup = dy gate s; y, unless null, is    \
     swiglu(gate, up) once more. dgate and dup may lie over gate, up or dy. */                     \
  extern "C" __global__ void __launch_bounds__(THREADS) swiglu_gradient_##SUFFIX(                  \
      const T* gate, const T* up, const T* dy, T* dgate, T* dup, T* y, int rows, int width,        \
      int gate_stride, int up_stride, int dy_stride, int dgate_stride, int dup_stride,             \
      int y_stride) {                                                                              \
    Matrix<const T> g{gate, gate_stride}, u{up, up_stride}, d{dy, dy_stride};                      \
    Matrix<T> dg{dgate, dgate_stride}, du{dup, dup_stride}, a{y, y_stride};                        \
    if (g.aligned() && u.aligned() && d.aligned() && dg.aligned() && du.aligned() &&               \
        a.aligned() && width % 8 == 0) {                                                           \
      each<8>(rows, width, SwiGluGradient<T, 8>{g, u, d, dg, du, a});                              \
    } else {                                                                                       \
      each<1>(rows, width, SwiGluGradient<T, 1>{g, u, d, dg, du, a});                              \
    }                                                                                              \
  }                                                                                                \
  /* y += bias, bias [width] */                                                                    \
  extern "C" __global__ void __launch_bounds__(THREADS) bias_add_##SUFFIX(                         \
      T* y, const T* bias, int rows, int width, int y_stride) {                                    \
    if (aligned8(y, y_stride) && aligned8(bias, width)) {                                          \
      each<8>(rows, width, BiasAdd<T, 8>{{y, y_stride}, bias});                                    \
    } else {                                                                                       \
      each<1>(rows, width, BiasAdd<T, 1>{{y, y_stride}, bias});                                    \
    }                                                                                              \
  }

MATRIX_KERNELS(bf16, bf16)
MATRIX_KERNELS(float, f32)

/* y = x, rounded to nearest even */
extern "C" __global__ void __launch_bounds__(THREADS) cast_f32_bf16(
    const float* x, bf16* y, int rows, int width, int x_stride, int y_stride) {
  unary<float, bf16>({x, x_stride}, {y, y_stride}, rows, width, [](float p) { return p; });
}

/* y = x, exact */
extern "C" __global__ void __launch_bounds__(THREADS) cast_bf16_f32(
    const bf16* x, float* y, int rows, int width, int x_stride, int y_stride) {
  unary<bf16, float>({x, x_stride}, {y, y_stride}, rows, width, [](float p) { return p; });
}

struct FillBody {
  const Tensor& tensor;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> v;
#pragma unroll
    for (int j = 0; j < N; j++) {
      v.at[j] = tensor.constant[0];
    }
    store<N>(tensor.target + i, v);
  }
};

/* target = constant[0]. Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) fill_tensors_f32(
    const Tensor* tensors, const Piece* pieces) {
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<4>(tensor, piece, FillBody{tensor});
}

/** target = source, or target += source; copy, unless null, gets target rounded. */
template <bool ADD>
struct MoveBody {
  const Tensor& tensor;
  template <int N>
  __device__ __forceinline__ void apply(long long i) {
    Floats<N> v = load<N>(tensor.source + i);
    if (ADD) {
      Floats<N> sum = load<N>(tensor.target + i);
#pragma unroll
      for (int j = 0; j < N; j++) {
        v.at[j] = sum.at[j] + v.at[j];
      }
    }
    if (ADD || tensor.target != tensor.source) {
      store<N>(tensor.target + i, v);
    }
    if (tensor.copy != nullptr) {
      store<N>(tensor.copy + i, v);
    }
  }
};

/* target = source, copy = bf16(source); source == target refreshes the copies alone.
   Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) copy_tensors_f32(
    const Tensor* tensors, const Piece* pieces) {
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<8>(tensor, piece, MoveBody<false>{tensor});
}

/* target += source. Grid: pieces; block: PIECE_THREADS. */
extern "C" __global__ void __launch_bounds__(PIECE_THREADS) accumulate_tensors_f32(
    const Tensor* tensors, const Piece* pieces) {
  Piece piece = pieces[blockIdx.x];
  Tensor tensor = tensors[piece.tensor];
  each_of_piece<8>(tensor, piece, MoveBody<true>{tensor});
}
