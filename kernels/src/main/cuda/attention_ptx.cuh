// The machine instructions attention is made of: asynchronous copies, matrix products of one warp
// (mma.sync, from compute 8.0) and of four warps (wgmma, sm_90a only).
#pragma once

#if defined(__CUDA_ARCH_FEAT_SM90_ALL) && !defined(ATTENTION_MMA_SYNC)
#define ATTENTION_WGMMA 1
#else
#define ATTENTION_WGMMA 0
#endif

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
  return (unsigned)__cvta_generic_to_shared(pointer);
}

/** 16 bytes from global to shared memory; zeros where `valid` is false (nothing is read then). */
__device__ __forceinline__ void copy16(unsigned to, const void* from, bool valid) {
  int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy8(unsigned to, const void* from, bool valid) {
  int bytes = valid ? 8 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy4(unsigned to, const void* from, bool valid) {
  int bytes = valid ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/** Waits until at most N groups of this thread's copies are under way. */
template <int N>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/** This thread's writes to shared memory become visible to wgmma; before the barrier. */
__device__ __forceinline__ void publish_to_wgmma() {
#if ATTENTION_WGMMA
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/** 2^x; 0 for -infinity, and results below the normal range become 0. */
__device__ __forceinline__ float power2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ void load_matrices(unsigned (&r)[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
/** d [16, 8] += a [16, 16] b [16, 8]. */
__device__ __forceinline__ void multiply_m16n8k16(float* d, const unsigned* a, unsigned b0,
                                                  unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#if ATTENTION_WGMMA
/**
 * Matrix descriptor of a tile with 128-byte rows in the 128-byte swizzle. `leading`: bytes between
 * panels of 64 columns (read only when the tile is transposed and wider than 64).
 */
__device__ __forceinline__ unsigned long long descriptor(unsigned address, unsigned leading) {
  const unsigned long long swizzle128 = 1ull << 62;
  const unsigned long long eightRows = (unsigned long long)(1024 >> 4) << 32;
  return swizzle128 | eightRows | ((unsigned long long)(leading >> 4) << 16) |
         ((address & 0x3ffff) >> 4);
}

#define ACC4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define ACC16(d, i) ACC4(d, i), ACC4(d, i + 4), ACC4(d, i + 8), ACC4(d, i + 12)
#define ACC32(d) ACC16(d, 0), ACC16(d, 16)
#define ACC64(d) ACC32(d), ACC16(d, 32), ACC16(d, 48)
#define NAMES32                                                                             \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23," \
  "%24,%25,%26,%27,%28,%29,%30,%31"
#define NAMES64                                                                                \
  NAMES32                                                                                      \
  ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53," \
  "%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"

/** d [64, N] = a b^T + (add ? d : 0), a [64, 16] and b [N, 16] in shared memory; not awaited. */
template <int N>
__device__ __forceinline__ void wgmma_shared(float (&d)[N / 2], unsigned long long a,
                                             unsigned long long b, int add) {
  if constexpr (N == 64) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" NAMES32
        "}, %32, %33, p, 1, 1, 0, 0;\n}\n"
        : ACC32(d)
        : "l"(a), "l"(b), "r"(add));
  } else {
    static_assert(N == 128, "64 or 128 columns");
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" NAMES64
        "}, %64, %65, p, 1, 1, 0, 0;\n}\n"
        : ACC64(d)
        : "l"(a), "l"(b), "r"(add));
  }
}

/** d [64, N] += a b, a [64, 16] in registers, b [16, N] in shared memory; not awaited. */
template <int N>
__device__ __forceinline__ void wgmma_registers(float (&d)[N / 2], const unsigned* a,
                                                unsigned long long b) {
  if constexpr (N == 64) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" NAMES32
        "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1;\n}\n"
        : ACC32(d)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  } else {
    static_assert(N == 128, "64 or 128 columns");
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" NAMES64
        "}, {%64, %65, %66, %67}, %68, p, 1, 1, 1;\n}\n"
        : ACC64(d)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
}
#endif
