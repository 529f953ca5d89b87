// The CUDA functions that kernels here may use. There are no atomics: a sum whose order depends on timing
// does not belong in this library.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>
#include <memory>  // before __noinline__ becomes a macro: the standard library uses it as an attribute

#include "standin/fibres.h"

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) alignas(bytes)

// --- Barriers and warps

#define STANDIN_HERE const standin::Place& place = standin::Place::current()

// Of half turns.
inline float sinpif(float x) { return std::sin(static_cast<float>(M_PI) * x); }
inline float cospif(float x) { return std::cos(static_cast<float>(M_PI) * x); }

inline void __syncthreads(STANDIN_HERE) { standin::barrier("__syncthreads", 0, place); }
inline int __syncthreads_count(int predicate, STANDIN_HERE) {
  return standin::barrier("__syncthreads_count", predicate != 0 ? 1 : 0, place);
}
inline int __syncthreads_or(int predicate, STANDIN_HERE) {
  return standin::barrier("__syncthreads_or", predicate != 0 ? 1 : 0, place) != 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate, STANDIN_HERE) {
  return standin::barrier("__syncthreads_and", predicate != 0 ? 0 : 1, place) == 0 ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, STANDIN_HERE) { standin::syncWarp(mask, place); }

inline unsigned __ballot_sync(unsigned mask, int predicate, STANDIN_HERE) {
  return standin::ballot("__ballot_sync", mask, predicate != 0, place);
}
inline int __any_sync(unsigned mask, int predicate, STANDIN_HERE) {
  return standin::ballot("__any_sync", mask, predicate != 0, place) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, STANDIN_HERE) {
  return standin::ballot("__all_sync", mask, predicate == 0, place) == 0 ? 1 : 0;
}

namespace standin {
template <class T>
T shuffleNumber(const char* name, unsigned mask, T value, int source, const Place& place) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = shuffle(name, mask, bits, source, place);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace standin
// A lane outside of its group of `width` lanes reads its own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, STANDIN_HERE) {
  const int lane = static_cast<int>(standin::laneIndex());
  const int source = (lane & ~(width - 1)) + (from & (width - 1));
  return standin::shuffleNumber("__shfl_sync", mask, value, source, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, STANDIN_HERE) {
  const int lane = static_cast<int>(standin::laneIndex()), source = lane - static_cast<int>(delta);
  const bool inside = source >= (lane & ~(width - 1));
  return standin::shuffleNumber("__shfl_up_sync", mask, value, inside ? source : lane, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, STANDIN_HERE) {
  const int lane = static_cast<int>(standin::laneIndex()), source = lane + static_cast<int>(delta);
  const bool inside = source < (lane & ~(width - 1)) + width;
  return standin::shuffleNumber("__shfl_down_sync", mask, value, inside ? source : lane, place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int flipped, int width = 32, STANDIN_HERE) {
  const int lane = static_cast<int>(standin::laneIndex()), source = lane ^ flipped;
  const bool inside = source < (lane & ~(width - 1)) + width;
  return standin::shuffleNumber("__shfl_xor_sync", mask, value, inside ? source : lane, place);
}

[[noreturn]] inline void __trap(STANDIN_HERE) { standin::fail(place, "__trap"); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}

// --- Memory

template <class T>
T __ldg(const T* data) {
  return *data;
}
template <class T>
T __ldcg(const T* data) {
  return *data;
}
template <class T>
T __ldcs(const T* data) {
  return *data;
}
template <class T>
void __stcg(T* data, T value) {
  *data = value;
}
template <class T>
void __stcs(T* data, T value) {
  *data = value;
}

// --- Bits

namespace standin {
template <class To, class From>
To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
}  // namespace standin
inline unsigned __float_as_uint(float x) { return standin::bitsAs<unsigned>(x); }
inline int __float_as_int(float x) { return standin::bitsAs<int>(x); }
inline float __uint_as_float(unsigned x) { return standin::bitsAs<float>(x); }
inline float __int_as_float(int x) { return standin::bitsAs<float>(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t{a} * b >> 32); }

// --- Arithmetic

inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
// As documented: 0 for a divisor beyond 2^126.
inline float __fdividef(float a, float b) { return fabsf(b) > 0x1p126f ? a * 0.0f : a / b; }

inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long min(long a, long b) { return b < a ? b : a; }
inline long max(long a, long b) { return a < b ? b : a; }
inline unsigned long min(unsigned long a, unsigned long b) { return b < a ? b : a; }
inline unsigned long max(unsigned long a, unsigned long b) { return a < b ? b : a; }
inline long long min(long long a, long long b) { return b < a ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

#undef STANDIN_HERE
