// A vector of floats for the instruction set that this translation unit is compiled for, and the math policy
// of cells.h on it. PACKED_RNN_ISA names the set and is the namespace, so nothing here merges with another
// set's code.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "philox.h"

namespace packed_rnn::PACKED_RNN_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
// Rows of a register tile of 4 vectors: 24 sums, 4 operands and a broadcast fill 32 registers.
constexpr int kTileRows = 6;
constexpr int kTileVectors = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#else
constexpr int kLanes = 4;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#endif

using V = float __attribute__((vector_size(4 * kLanes)));
using VI = std::int32_t __attribute__((vector_size(4 * kLanes)));
using UnalignedV = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

PACKED_RNN_INLINE V load(const float* p) { return *reinterpret_cast<const UnalignedV*>(p); }
PACKED_RNN_INLINE void store(float* p, V v) { *reinterpret_cast<UnalignedV*>(p) = v; }
// x - 0 is x for every x, so this is a bare broadcast; 0 + x is not (-0) and costs an addition.
PACKED_RNN_INLINE V splat(float x) { return x - V{}; }

// The first n lanes, 0 < n < kLanes; the others read as 0 and are not written.
PACKED_RNN_INLINE V loadFirst(const float* p, int n) {
  V v{};
  for (int i = 0; i < n; i++) v[i] = p[i];
  return v;
}
PACKED_RNN_INLINE void storeFirst(float* p, V v, int n) {
  for (int i = 0; i < n; i++) p[i] = v[i];
}

// a b + c, rounded once where the instruction set can
PACKED_RNN_INLINE V fma(V a, V b, V c) {
#if defined(__AVX512F__)
  return reinterpret_cast<V>(
      _mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
#elif defined(__FMA__)
  return reinterpret_cast<V>(
      _mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
#else
  return a * b + c;
#endif
}

PACKED_RNN_INLINE V squareRoot(V x) {
#if defined(__AVX512F__)
  return reinterpret_cast<V>(_mm512_maskz_sqrt_ps(0xFFFF, reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<V>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#else
  V y;
  for (int i = 0; i < kLanes; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
#endif
}

PACKED_RNN_INLINE float sumOfLanes(V v) {
  float total = 0;
  for (int i = 0; i < kLanes; i++) total += v[i];
  return total;
}

// eˣ to 2 ulp for x in [-87, 87.3365], where it saturates outside, so that neither it nor its inverse is ever
// denormal; NaN stays NaN. 2ᵏ times a polynomial fitted to (eʳ - 1 - r) / r² on |r| <= ln 2 / 2 (relative
// error 3e-9).
PACKED_RNN_INLINE V exponential(V x) {
  x = x < -87.0f ? splat(-87.0f) : x;
  x = x > 87.3365f ? splat(87.3365f) : x;
  // 1.5 · 2²³ pushes the fraction out: the low bits of the sum are the nearest integer k.
  const V shifted = fma(x, splat(1.44269504f), splat(12582912.0f));
  const V k = shifted - 12582912.0f;
  V r = fma(k, splat(-0.693359375f), x);
  r = fma(k, splat(2.12194440e-4f), r);
  V p = fma(splat(0.00138145778f), r, splat(0.00836871937f));
  p = fma(p, r, splat(0.0416683890f));
  p = fma(p, r, splat(0.166665211f));
  p = fma(p, r, splat(0.499999940f));
  p = fma(p, r * r, r) + 1.0f;
  const VI bits = reinterpret_cast<VI>(shifted);
  const V power = reinterpret_cast<V>((bits + 127) << 23);
  return p * power;
}

// The math policy of cells.h.
struct Simd {
  using V = PACKED_RNN_ISA::V;
  static PACKED_RNN_INLINE V splat(float x) { return PACKED_RNN_ISA::splat(x); }
  static PACKED_RNN_INLINE V fma(V a, V b, V c) { return PACKED_RNN_ISA::fma(a, b, c); }
  static PACKED_RNN_INLINE V sqrt(V x) { return squareRoot(x); }
  // A NaN in either stays one.
  static PACKED_RNN_INLINE V max(V a, V b) { return (b > a) | (b != b) ? b : a; }
  static PACKED_RNN_INLINE double power(double x, double y) { return __builtin_pow(x, y); }
  static PACKED_RNN_INLINE double root(double x) { return __builtin_sqrt(x); }
  // A NaN in a stays one.
  static PACKED_RNN_INLINE V positive(V a, V b) { return a <= 0.0f ? V{} : b; }
  static PACKED_RNN_INLINE V sigmoid(V x) { return 1.0f / (1.0f + exponential(-x)); }
  // An odd polynomial where 1 - 2 / (e²ˣ + 1) would cancel, so that the relative error stays below 4 ulp
  // everywhere.
  static PACKED_RNN_INLINE V tanh(V x) {
    const V size = x < 0.0f ? -x : x;
    const V z = x * x;
    V p = fma(splat(-0.00570489699f), z, splat(0.0206389986f));
    p = fma(p, z, splat(-0.0537396857f));
    p = fma(p, z, splat(0.133314416f));
    p = fma(p, z, splat(-0.333332807f));
    const V small = fma(p * z, x, x);
    const V large = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
    return size < 0.625f ? small : (x < 0.0f ? -large : large);
  }
};

}  // namespace packed_rnn::PACKED_RNN_ISA
