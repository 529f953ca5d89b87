// A vector of floats for the instruction set of this translation unit, and the math policy of cells.h on it.
// PACKED_RNN_ISA is the set's name and the namespace, so nothing here is merged with another set's code.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "philox.h"

namespace packed_rnn::PACKED_RNN_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
// Masked forms, because GCC 12 reports that the plain ones read uninitialised values.
constexpr __mmask16 kAllLanes = 0xFFFF;
#if defined(PACKED_RNN_TILES)
constexpr int kTileRows = 32;  // of two tiles
#else
// Rows of a register tile of 4 vectors: 24 sums, 4 operands and a broadcast fill 32 registers.
constexpr int kTileRows = 6;
#endif
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
// x - 0 is x for every x, so this is a plain broadcast. 0 + x is not: it changes -0 and costs an addition.
PACKED_RNN_INLINE V splat(float x) { return x - V{}; }

// The first n lanes, 0 < n < kLanes; the others read as 0 and are not written.
#if defined(__AVX512F__)
PACKED_RNN_INLINE __mmask16 firstLanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }
PACKED_RNN_INLINE V loadFirst(const float* p, int n) {
  return reinterpret_cast<V>(_mm512_maskz_loadu_ps(firstLanes(n), p));
}
PACKED_RNN_INLINE void storeFirst(float* p, V v, int n) {
  _mm512_mask_storeu_ps(p, firstLanes(n), reinterpret_cast<__m512>(v));
}
#elif defined(__AVX2__)
PACKED_RNN_INLINE __m256i firstLanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PACKED_RNN_INLINE V loadFirst(const float* p, int n) {
  return reinterpret_cast<V>(_mm256_maskload_ps(p, firstLanes(n)));
}
PACKED_RNN_INLINE void storeFirst(float* p, V v, int n) {
  _mm256_maskstore_ps(p, firstLanes(n), reinterpret_cast<__m256>(v));
}
#else
PACKED_RNN_INLINE V loadFirst(const float* p, int n) {
  V v{};
  for (int i = 0; i < n; i++) v[i] = p[i];
  return v;
}
PACKED_RNN_INLINE void storeFirst(float* p, V v, int n) {
  for (int i = 0; i < n; i++) p[i] = v[i];
}
#endif

// v with zeros in all lanes except the first n, 0 < n <= kLanes.
PACKED_RNN_INLINE V keepFirst(V v, int n) {
  if (n == kLanes) return v;
  float lanes[kLanes];
  store(lanes, v);
  return loadFirst(lanes, n);
}

// Prefetch the line of p to read or to write it; p may be any address.
PACKED_RNN_INLINE void prefetch(const float* p) { __builtin_prefetch(p); }
PACKED_RNN_INLINE void prefetchToWrite(float* p) { __builtin_prefetch(p, 1); }

// Stores past the caches; p is aligned to a vector. Other threads may read the data after streamed().
PACKED_RNN_INLINE void stream(float* p, V v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
  store(p, v);
#endif
}
PACKED_RNN_INLINE void streamed() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

// a b + c, rounded once if the instruction set supports it
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
  return reinterpret_cast<V>(_mm512_maskz_sqrt_ps(kAllLanes, reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<V>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#else
  V y{};
  for (int i = 0; i < kLanes; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
#endif
}

// Whether all lanes are 0 with either sign.
PACKED_RNN_INLINE bool isZero(V v) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(v), _mm512_setzero_ps(), _CMP_NEQ_UQ) == 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps(reinterpret_cast<__m256>(v), _mm256_setzero_ps(), _CMP_NEQ_UQ)) ==
         0;
#else
  bool zero = true;
  for (int i = 0; i < kLanes; i++) zero = zero && v[i] == 0.0f;
  return zero;
#endif
}

PACKED_RNN_INLINE float sumOfLanes(V v) {
  float total = 0;
  for (int i = 0; i < kLanes; i++) total += v[i];
  return total;
}

// x within bounds. NaN stays NaN, because these instructions return their second operand for NaN.
PACKED_RNN_INLINE V atLeast(float bound, V x) {
#if defined(__AVX512F__)
  return reinterpret_cast<V>(
      _mm512_maskz_max_ps(kAllLanes, reinterpret_cast<__m512>(splat(bound)), reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<V>(
      _mm256_max_ps(reinterpret_cast<__m256>(splat(bound)), reinterpret_cast<__m256>(x)));
#else
  return x < bound ? splat(bound) : x;
#endif
}
PACKED_RNN_INLINE V atMost(float bound, V x) {
#if defined(__AVX512F__)
  return reinterpret_cast<V>(
      _mm512_maskz_min_ps(kAllLanes, reinterpret_cast<__m512>(splat(bound)), reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<V>(
      _mm256_min_ps(reinterpret_cast<__m256>(splat(bound)), reinterpret_cast<__m256>(x)));
#else
  return x > bound ? splat(bound) : x;
#endif
}

// The nearest integer to x, |x| < 2²², and 2 to its power if that is a normal number.
struct Nearest {
  V integer, power;
};
PACKED_RNN_INLINE Nearest nearest(V x) {
#if defined(__AVX512F__)
  const __m512 k = _mm512_maskz_roundscale_ps(kAllLanes, reinterpret_cast<__m512>(x),
                                              _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return {reinterpret_cast<V>(k),
          reinterpret_cast<V>(_mm512_maskz_scalef_ps(kAllLanes, reinterpret_cast<__m512>(splat(1.0f)), k))};
#else
  // Adding 1.5 · 2²³ removes the fraction: the low bits of the sum are the integer.
  const V shifted = x + 12582912.0f;
  return {shifted - 12582912.0f, reinterpret_cast<V>((reinterpret_cast<VI>(shifted) + 127) << 23)};
#endif
}

// (2ᶠ - 1) / f for |f| <= 1/2: a polynomial fitted to a relative error of 1.4e-8.
PACKED_RNN_INLINE V risePerPower(V f) {
  V p = fma(splat(1.53779882e-4f), f, splat(0.00133878949f));
  p = fma(p, f, splat(0.00961832050f));
  p = fma(p, f, splat(0.0555036627f));
  p = fma(p, f, splat(0.240226492f));
  return fma(p, f, splat(0.693147182f));
}

// eˣ to 2 ulp for x in [-87, 87.3365]. It saturates outside, so that neither it nor its inverse is ever
// denormal. NaN stays NaN. 2ᵏ times a polynomial fitted to (eʳ - 1 - r) / r² on |r| <= ln 2 / 2 (relative
// error 3e-9).
PACKED_RNN_INLINE V exponential(V x) {
  x = atMost(87.3365f, atLeast(-87.0f, x));
  const Nearest k = nearest(x * 1.44269504f);
  V r = fma(k.integer, splat(-0.693359375f), x);
  r = fma(k.integer, splat(2.12194440e-4f), r);
  V p = fma(splat(0.00138145778f), r, splat(0.00836871937f));
  p = fma(p, r, splat(0.0416683890f));
  p = fma(p, r, splat(0.166665211f));
  p = fma(p, r, splat(0.499999940f));
  p = fma(p, r * r, r) + 1.0f;
  return p * k.power;
}

// The math policy of cells.h.
struct Simd {
  using V = PACKED_RNN_ISA::V;
  static PACKED_RNN_INLINE V splat(float x) { return PACKED_RNN_ISA::splat(x); }
  static PACKED_RNN_INLINE V fma(V a, V b, V c) { return PACKED_RNN_ISA::fma(a, b, c); }
  static PACKED_RNN_INLINE V sqrt(V x) { return squareRoot(x); }
  // NaN in either argument stays NaN.
  static PACKED_RNN_INLINE V max(V a, V b) { return (b > a) | (b != b) ? b : a; }
  static PACKED_RNN_INLINE double power(double x, double y) { return __builtin_pow(x, y); }
  static PACKED_RNN_INLINE double root(double x) { return __builtin_sqrt(x); }
  // NaN in a stays NaN.
  static PACKED_RNN_INLINE V positive(V a, V b) { return a <= 0.0f ? V{} : b; }
  // With fused multiplications: the value at a point within half a unit in the last place of x, to 3 ulp, in
  // two thirds of the time of the accurate one that elementwise.cpp uses. Without them more is rounded, so
  // the accurate one is used. Outside the bounds it stays at 2⁻¹²⁶ and 1.
  static PACKED_RNN_INLINE V sigmoid(V x) {
#if defined(__FMA__)
    const V z = atMost(126.0f, atLeast(-126.0f, x * -1.44269504f));
    const Nearest k = nearest(z);
    const V f = z - k.integer;
    return 1.0f / fma(k.power, fma(risePerPower(f), f, splat(1.0f)), splat(1.0f));
#else
    return 1.0f / (1.0f + exponential(-x));
#endif
  }
  // m / (m + 2) for m = e²ˣ - 1, where m = 2ᵏ (2ᶠ - 1) + (2ᵏ - 1) does not cancel: to 4 ulp everywhere.
  // Beyond the bounds it is ±1.
  static PACKED_RNN_INLINE V tanh(V x) {
    const V z = atMost(60.0f, atLeast(-60.0f, x * 2.88539008f));
    const Nearest k = nearest(z);
    const V f = z - k.integer;
    const V m = fma(k.power, risePerPower(f) * f, k.power - 1.0f);
    return m / (m + 2.0f);
  }
};

#if defined(PACKED_RNN_TILES)

// The gates of recurrent cells. On tiles products take so little time that the gates dominate, and operands
// are rounded to 1 part in 512; so σ and tanh are good to 3e-5, relatively.
struct Gates : Simd {
  // 1 / x to 1e-7, for 2⁻¹²⁶ <= |x| <= 2¹²⁶: a step of Newton's from 14 bits.
  static PACKED_RNN_INLINE V reciprocal(V x) {
    const V r = reinterpret_cast<V>(_mm512_maskz_rcp14_ps(kAllLanes, reinterpret_cast<__m512>(x)));
    return r * fma(-x, r, splat(2.0f));
  }
  // (2ᶠ - 1) / f for |f| <= 1/2: a polynomial fitted to a relative error of 1.5e-5.
  static PACKED_RNN_INLINE V risePerPower(V f) {
    V p = fma(splat(0.00961811f), f, splat(0.05583729f));
    p = fma(p, f, splat(0.24023252f));
    return fma(p, f, splat(0.69313686f));
  }
  static PACKED_RNN_INLINE V sigmoid(V x) {
    const V z = atMost(125.0f, atLeast(-125.0f, x * -1.44269504f));
    const Nearest k = nearest(z);
    const V f = z - k.integer;
    return reciprocal(fma(k.power, fma(risePerPower(f), f, splat(1.0f)), splat(1.0f)));
  }
  static PACKED_RNN_INLINE V tanh(V x) {
    const V z = atMost(60.0f, atLeast(-60.0f, x * 2.88539008f));
    const Nearest k = nearest(z);
    const V f = z - k.integer;
    const V m = fma(k.power, risePerPower(f) * f, k.power - 1.0f);
    return m * reciprocal(m + 2.0f);
  }
};

#else

using Gates = Simd;

#endif

// Functions that functions.h needs in addition.
struct Accurate : Simd {
  static PACKED_RNN_INLINE V accurateSigmoid(V x) { return 1.0f / (1.0f + exponential(-x)); }
  // Also if eˣ is infinite; denormal results are 0.
  static PACKED_RNN_INLINE V exp(V x) {
    const V half = exponential(0.5f * x);
    const V y = (x > 87.0f) | (x < -87.0f) ? half * half : exponential(x);
    return x < -87.3365f ? V{} : x > 88.7228f ? splat(__builtin_inff()) : y;
  }
  // eˣ for x <= 0; below e⁻⁸⁷ it is 0. NaN stays NaN.
  static PACKED_RNN_INLINE V expOfFalling(V x) { return x < -87.0f ? V{} : exponential(x); }
  // Calls the C library for each lane.
  template <class F>
  static PACKED_RNN_INLINE V lanes(V x, F f) {
    V y{};
    for (int i = 0; i < kLanes; i++) y[i] = f(x[i]);
    return y;
  }
  static PACKED_RNN_INLINE V log(V x) {
    return lanes(x, [](float each) { return __builtin_logf(each); });
  }
  static PACKED_RNN_INLINE V log1p(V x) {
    return lanes(x, [](float each) { return __builtin_log1pf(each); });
  }
  static PACKED_RNN_INLINE V erf(V x) {
    return lanes(x, [](float each) { return __builtin_erff(each); });
  }
  static PACKED_RNN_INLINE V pow(V x, V y) {
    V z{};
    for (int i = 0; i < kLanes; i++) z[i] = __builtin_powf(x[i], y[i]);
    return z;
  }
};

}  // namespace packed_rnn::PACKED_RNN_ISA
