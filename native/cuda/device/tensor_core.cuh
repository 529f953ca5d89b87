// All inline PTX and all device-only headers of the kernels. Another compiler has another file of this name.
// The comments say what kernels may rely on.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace packed_rnn::cuda {

// Whether this compilation is for devices with tensor cores for TF32 and bf16 (tensor) or for those without.
// The body of a kernel of the other kind is left out, because it is never launched.
template <bool tensor>
__device__ constexpr bool compiledFor() {
#if __CUDA_ARCH__ >= 800
  return tensor;
#else
  return !tensor;
#endif
}

// A shared array of the block. `name` distinguishes arrays of equal type and size.
template <class T, int count, int name>
__device__ __forceinline__ T* sharedArray() {
  __shared__ __align__(16) T array[count];
  return array;
}

// The array whose size is set at launch, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* dynamicShared() {
  extern __shared__ __align__(16) unsigned char dynamicSharedBytes[];
  return reinterpret_cast<T*>(dynamicSharedBytes);
}

// Four words of shared memory, read each time. If the compiler saw that they never change, it would keep them
// in registers, and there are not enough of these.
__device__ __forceinline__ uint4 readShared(const uint4* from) {
  uint4 words;
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(from));
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(words.x), "=r"(words.y), "=r"(words.z), "=r"(words.w)
               : "r"(address)
               : "memory");  // not before the words are stored
  return words;
}

// The compiler does not move memory accesses across this.
__device__ __forceinline__ void keepOrder() { asm volatile("" ::: "memory"); }

// tanh to about 2^-11, relatively, in one instruction
__device__ __forceinline__ float approximateTanh(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// x, or 0 if it is denormal. A tensor core computes with denormals; all other arithmetic here reads them as
// zeros.
__device__ __forceinline__ float flushed(float x) {
  float y;
  asm("mul.ftz.f32 %0, %1, 0f3f800000;" : "=f"(y) : "f"(x));
  return y;
}

// Copies `bytes` (4 or 16, both sides aligned to them) to shared memory. If `inside` is false, it writes
// zeros and reads nothing. The issuing thread sees the data after its waitForCopies, the block after the next
// barrier.
template <int bytes>
__device__ __forceinline__ void copyAsync(void* shared, const void* global, bool inside) {
#if __CUDA_ARCH__ >= 800
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  const int read = inside ? bytes : 0;
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(read)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(global), "r"(read)
                 : "memory");
  }
#else
  if constexpr (bytes == 16) {
    *static_cast<float4*>(shared) = inside ? *static_cast<const float4*>(global) : make_float4(0, 0, 0, 0);
  } else {
    *static_cast<float*>(shared) = inside ? *static_cast<const float*>(global) : 0.0f;
  }
#endif
}
// Closes a group of copies.
__device__ __forceinline__ void commitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most `pending` of the thread's latest groups are still in progress.
template <int pending>
__device__ __forceinline__ void waitForCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

#if __CUDA_ARCH__ >= 800
#define PACKED_RNN_MMA(shape, types)                                              \
  asm volatile("mma.sync.aligned." shape ".row.col." types                        \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                   \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
#else  // These types came with sm_80. On older devices the host launches no kernel that uses them.
#define PACKED_RNN_MMA(shape, types) __trap()
#endif

// Operands of d += a b on a tensor core: a [16 rows, 8 words], b [8 words, 8 columns], d [16, 8] in float32.
// A word is a number (TF32) or two adjacent numbers (bf16). In lane 4 g + t, a holds the words (g, t), (g +
// 8, t), (g, t + 4), (g + 8, t + 4); b0 and b1 the words t and t + 4 of column g; d the elements (g, 2t), (g,
// 2t + 1), (g + 8, 2t), (g + 8, 2t + 1). All 32 lanes of the warp must call it together.
struct Tf32 {
  static constexpr int kPerWord = 1;
  // To 11 bits, halves away from zero. Operands must be rounded this way and not be denormal.
  static __device__ __forceinline__ std::uint32_t round(float x) {
#if __CUDA_ARCH__ >= 800
    std::uint32_t word;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x));
    return word;
#else
    return __float_as_uint(x);
#endif
  }
  static __device__ __forceinline__ void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                             std::uint32_t b1) {
    PACKED_RNN_MMA("m16n8k8", "f32.tf32.tf32.f32");
  }
};

struct Bf16 {
  static constexpr int kPerWord = 2;
  // Two numbers to 8 bits, halves to even. `low` comes first in memory.
  static __device__ __forceinline__ std::uint32_t round(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return static_cast<std::uint32_t>(__bfloat16_as_ushort(pair.x)) |
           static_cast<std::uint32_t>(__bfloat16_as_ushort(pair.y)) << 16;
  }
  static __device__ __forceinline__ std::uint16_t round(float x) {
    return __bfloat16_as_ushort(__float2bfloat16_rn(x));
  }
  static __device__ __forceinline__ void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                             std::uint32_t b1) {
    PACKED_RNN_MMA("m16n8k16", "f32.bf16.bf16.f32");
  }
};
#undef PACKED_RNN_MMA

}  // namespace packed_rnn::cuda
