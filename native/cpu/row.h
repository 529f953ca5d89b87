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
  V lanes = splat(-__builtin_inff());
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) lanes = Simd::max(lanes, load(x + i));
  float largest = lanes[0];
  const auto take = [&](float each) { largest = each > largest || each != each ? each : largest; };
  for (int lane = 1; lane < kLanes; lane++) take(lanes[lane]);
  for (; i < count; i++) take(x[i]);
  return largest;
}

// Σ exp(x - largest), with partial sums against the rounding error of long rows. store(place, power, n) gets
// each vector of powers.
template <class Store>
PACKED_RNN_INLINE float sumOfPowers(const float* x, std::int64_t count, float largest, Store store) {
  constexpr std::int64_t kPartial = std::int64_t{64} * kLanes;
  V total = V{};
  for (std::int64_t first = 0; first < count; first += kPartial) {
    V partial = V{};
    eachVector(smaller(kPartial, count - first), [&](std::int64_t i, int n) {
      const V power = Accurate::expOfFalling(loadSome(x + first + i, n) - largest);
      partial += n == kLanes ? power : keepFirst(power, n);
      store(first + i, power, n);
    });
    total += partial;
  }
  return sumOfLanes(total);
}

// y = exp(x - max) / Σ exp(x - max), or its logarithm. y may be x.
PACKED_RNN_INLINE void softmaxRow(const float* x, float* y, std::int64_t count, bool logarithm) {
  const float largest = largestOf(x, count);
  const float total = sumOfPowers(x, count, largest, [&](std::int64_t i, V power, int n) {
    if (!logarithm) storeSome(y + i, power, n);
  });
  const float logTotal = __builtin_logf(total);
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
