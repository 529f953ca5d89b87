// A row of numbers by vectors.
#pragma once

#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

// f(place, n) for each vector of a row; n is kLanes, or fewer at its end.
template <class F>
PACKED_RNN_INLINE void eachVector(std::int64_t count, F f) {
  for (std::int64_t i = 0; i < count; i += kLanes) f(i, static_cast<int>(smaller(kLanes, count - i)));
}
// Lanes past the first n are 0 and are not written.
PACKED_RNN_INLINE V loadSome(const float* p, int n) { return n == kLanes ? load(p) : loadFirst(p, n); }
PACKED_RNN_INLINE void storeSome(float* p, V v, int n) { n == kLanes ? store(p, v) : storeFirst(p, v, n); }

// NaN is larger than every number.
PACKED_RNN_INLINE float largestOf(const float* x, std::int64_t count) {
  float largest = -__builtin_inff();
  for (std::int64_t i = 0; i < count; i++) largest = x[i] > largest || x[i] != x[i] ? x[i] : largest;
  return largest;
}

// y = exp(x - max) / Σ exp(x - max), or its logarithm. y may be x.
PACKED_RNN_INLINE void softmaxRow(const float* x, float* y, std::int64_t count, bool logarithm) {
  const float largest = largestOf(x, count);
  V sums = V{};
  eachVector(count, [&](std::int64_t i, int n) {
    const V power = Accurate::exp(loadSome(x + i, n) - largest);
    sums += n == kLanes ? power : keepFirst(power, n);
    if (!logarithm) storeSome(y + i, power, n);
  });
  const float total = sumOfLanes(sums), logTotal = __builtin_logf(total);
  eachVector(count, [&](std::int64_t i, int n) {
    storeSome(y + i, logarithm ? loadSome(x + i, n) - largest - logTotal : loadSome(y + i, n) / total, n);
  });
}

// dX = y (dY - Σ y dY), or dY - eʸ Σ dY for the logarithm. dX may be dY.
PACKED_RNN_INLINE void softmaxBackwardRow(const float* y, const float* dY, float* dX, std::int64_t count,
                                          bool logarithm) {
  V sums = V{};
  eachVector(count, [&](std::int64_t i, int n) {
    const V d = loadSome(dY + i, n);
    sums = logarithm ? sums + d : fma(d, loadSome(y + i, n), sums);
  });
  const float total = sumOfLanes(sums);
  eachVector(count, [&](std::int64_t i, int n) {
    const V d = loadSome(dY + i, n), at = loadSome(y + i, n);
    storeSome(dX + i, logarithm ? d - Accurate::exp(at) * total : at * (d - total), n);
  });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
