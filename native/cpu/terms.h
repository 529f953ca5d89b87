// The units of matrix products. A term is the part of an operand that a product consumes in one step along k.
// It is a float. If this translation unit is compiled with bfloat16 dot products, it is a pair of neighbours
// in k, rounded to bfloat16. So the loops over terms are the same, and with pairs there are half as many.
// Sums are float32.
#pragma once

#include "cpu/simd.h"

namespace packed_rnn::PACKED_RNN_ISA {

#if defined(__AVX512BF16__)

constexpr int kTermDepth = 2;
using Term = std::uint32_t;  // the earlier one in the low half
using TermV = std::uint32_t __attribute__((vector_size(4 * kLanes)));
using UnalignedTermV = std::uint32_t __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

PACKED_RNN_INLINE TermV load(const Term* p) { return *reinterpret_cast<const UnalignedTermV*>(p); }
PACKED_RNN_INLINE void store(Term* p, TermV v) { *reinterpret_cast<UnalignedTermV*>(p) = v; }
PACKED_RNN_INLINE TermV splat(Term x) { return x - TermV{}; }

// c + a b; each lane is the sum of two products
PACKED_RNN_INLINE V multiplyAdd(TermV a, TermV b, V c) {
  return reinterpret_cast<V>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(c), reinterpret_cast<__m512bh>(a),
                                              reinterpret_cast<__m512bh>(b)));
}

// The terms of kLanes columns from their numbers at each step of k.
PACKED_RNN_INLINE TermV termsOf(const V (&across)[kTermDepth]) {
  constexpr std::uint16_t kHalves[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                         8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512bh halves =
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(across[1]), reinterpret_cast<__m512>(across[0]));
  return reinterpret_cast<TermV>(_mm512_maskz_permutexvar_epi16(0xFFFFFFFF, _mm512_loadu_si512(kHalves),
                                                                reinterpret_cast<__m512i>(halves)));
}
// kLanes successive terms of a row along k.
PACKED_RNN_INLINE TermV termsAlong(const float* row) {
  return reinterpret_cast<TermV>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(load(row + kLanes)), reinterpret_cast<__m512>(load(row))));
}
// The terms of `depth` numbers, 0 < depth <= 2 kLanes, then zeros.
PACKED_RNN_INLINE TermV termsAlong(const float* row, int depth) {
  const V low = depth < kLanes ? loadFirst(row, depth) : load(row);
  const V high = depth <= kLanes      ? V{}
                 : depth < 2 * kLanes ? loadFirst(row + kLanes, depth - kLanes)
                                      : load(row + kLanes);
  return reinterpret_cast<TermV>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
}
PACKED_RNN_INLINE const Term* inPlace(const float*) { return nullptr; }

#else

constexpr int kTermDepth = 1;
using Term = float;
using TermV = V;

PACKED_RNN_INLINE V multiplyAdd(TermV a, TermV b, V c) { return fma(a, b, c); }
PACKED_RNN_INLINE TermV termsOf(const V (&across)[kTermDepth]) { return across[0]; }
PACKED_RNN_INLINE TermV termsAlong(const float* row) { return load(row); }
PACKED_RNN_INLINE TermV termsAlong(const float* row, int depth) {
  return depth < kLanes ? loadFirst(row, depth) : load(row);
}
// The numbers themselves as terms; null if terms are pairs.
PACKED_RNN_INLINE const Term* inPlace(const float* x) { return x; }

#endif

// Terms that are added at once. Their sum is rounded before the next ones are added, so only whole groups may
// be left out.
#if defined(PACKED_RNN_TILES)
constexpr std::int64_t kTermsAtOnce = 16;
#else
constexpr std::int64_t kTermsAtOnce = 1;
#endif
constexpr std::int64_t kStepsAtOnce = kTermsAtOnce * kTermDepth;

// The number of terms of a sum over `depth`; what is past its end is 0.
constexpr std::int64_t termsIn(std::int64_t depth) {
  return (depth + kStepsAtOnce - 1) / kStepsAtOnce * kTermsAtOnce;
}

// From one row of terms to the next in memory. A tile reads sixteen rows at once. A line between them keeps
// rows of some power of two from sharing a set of the cache.
constexpr std::int64_t termsApart(std::int64_t depth) {
  return termsIn(depth) + (kTermsAtOnce > 1 ? kLanes : 0);
}

// Rows along k, [rows, depth], as terms [rows, termsApart(depth)]: in float32 in place, otherwise in
// `memory`.
struct TermRows {
  const Term* data;
  std::int64_t stride;
};
PACKED_RNN_INLINE TermRows termRows(const float* x, std::int64_t stride, std::int64_t rows,
                                    std::int64_t depth, Term* memory) {
  if (kTermDepth == 1) return {inPlace(x), stride};
  constexpr std::int64_t kStep = kLanes * kTermDepth;
  const std::int64_t count = termsIn(depth), apart = termsApart(depth);
  Term* to = memory;
  for (std::int64_t r = 0; r < rows; r++, x += stride, to += apart) {
    std::int64_t k = 0;
    for (; k + kStep <= depth; k += kStep) store(to + k / kTermDepth, termsAlong(x + k));
    if (k == depth) continue;
    const TermV last = termsAlong(x + k, static_cast<int>(depth - k));
    if constexpr (kTermsAtOnce == kLanes) {
      store(to + k / kTermDepth, last);
    } else {
      for (std::int64_t t = k / kTermDepth; t < count; t++) to[t] = last[t - k / kTermDepth];
    }
  }
  return {memory, apart};
}

}  // namespace packed_rnn::PACKED_RNN_ISA
