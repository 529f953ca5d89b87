// Steps over many tensors at once: clipping and the optimisers' rules of cells.h.
#include "cells.h"
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 16384;

// body(tensor, begin, end, chunk) over the fixed chunks of all tensors; `chunk` numbers them through.
template <class Body>
void eachChunk(CpuBackend& backend, std::int64_t tensors, const std::int64_t* counts, Body& body) {
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < tensors; i++) {
    const std::int64_t count = counts[i];
    auto chunk = [&, i, first](std::int64_t begin, std::int64_t end) {
      body(i, begin, end, first + begin / kChunk);
    };
    parallelChunks(backend, count, kChunk, chunk);
    first += (count + kChunk - 1) / kChunk;
  }
}

template <class F>
void eachVector(std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t i = begin; i < end; i += kLanes) f(i, static_cast<int>(smaller(kLanes, end - i)));
}

// n elements of a tensor; one that is absent reads as 0 and is not written.
PACKED_RNN_INLINE V loadSome(const float* tensor, std::int64_t at, int n) {
  if (tensor == nullptr) return V{};
  return n == kLanes ? load(tensor + at) : loadFirst(tensor + at, n);
}
PACKED_RNN_INLINE void storeSome(float* tensor, std::int64_t at, V v, int n) {
  if (tensor == nullptr) return;
  n == kLanes ? store(tensor + at, v) : storeFirst(tensor + at, v, n);
}

// values[i] = f(values[i]) over all tensors
template <class F>
void replaceEach(CpuBackend& backend, std::int64_t tensors, const std::int64_t* counts, float* const* values,
                 F f) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    eachVector(begin, end,
               [&](std::int64_t at, int n) { storeSome(values[i], at, f(loadSome(values[i], at, n)), n); });
  };
  eachChunk(backend, tensors, counts, body);
}

// One step of all parameters: makeRule(tensor, t), then update(rule, tensor, at, n, parameter, gradient) for
// n elements from `at`, which loads and stores their state.
template <class MakeRule, class Update>
void eachStep(CpuBackend& backend, const Stepped& s, MakeRule makeRule, Update update) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    const auto rule = makeRule(i, s.steps[i] == nullptr ? 1.0 : 1.0 + s.steps[i][0]);
    eachVector(begin, end, [&](std::int64_t at, int n) {
      V parameter = loadSome(s.parameters[i], at, n);
      update(rule, i, at, n, parameter, loadSome(s.gradients[i], at, n));
      storeSome(s.parameters[i], at, parameter, n);
    });
  };
  eachChunk(backend, s.tensors, s.counts, body);
  for (std::int64_t i = 0; i < s.tensors; i++) {
    if (s.steps[i] != nullptr) s.steps[i][0] += 1;
  }
}

PACKED_RNN_INLINE V magnitude(V x) { return x < 0.0f ? -x : x; }
// A NaN in either stays one.
PACKED_RNN_INLINE float larger(float a, float b) { return b > a || b != b ? b : a; }

}  // namespace

void Kernels::clipNorm(const ClipNorm& a) {
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < a.tensors; i++) chunks += (a.counts[i] + kChunk - 1) / kChunk;
  Scratch<float> partial(*this, chunks);
  auto reduce = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t chunk) {
    V lanes = V{};
    eachVector(begin, end, [&](std::int64_t at, int n) {
      const V x = loadSome(a.values[i], at, n);
      lanes = a.largest ? Simd::max(lanes, magnitude(x)) : fma(x, x, lanes);
    });
    if (a.largest) {
      float most = 0;
      for (int l = 0; l < kLanes; l++) most = larger(most, lanes[l]);
      partial[chunk] = most;
    } else {
      partial[chunk] = sumOfLanes(lanes);
    }
  };
  eachChunk(*this, a.tensors, a.counts, reduce);
  float most = 0;
  double squares = 0;
  for (std::int64_t c = 0; c < chunks; c++) {
    most = larger(most, partial[c]);
    squares += static_cast<double>(partial[c]);
  }
  const float norm = a.largest ? most : static_cast<float>(__builtin_sqrt(squares));
  if (a.mustBeFinite) checkFinite("the norm of the gradients", norm);
  a.total[0] = norm;
  // PyTorch's coefficient; NaN passes through the comparison, as it does there.
  float coefficient = a.maxNorm / (norm + 1e-6f);
  if (coefficient > 1.0f) coefficient = 1.0f;
  replaceEach(*this, a.tensors, a.counts, a.values, [=](V x) { return x * coefficient; });
}

void Kernels::clipValue(const ClipValue& a) {
  const V limit = splat(a.limit);
  replaceEach(*this, a.tensors, a.counts, a.values, [=](V x) {
    x = x > limit ? limit : x;
    return x < -limit ? -limit : x;
  });
}

void Kernels::sgdStep(const SgdStep& a) {
  eachStep(
      *this, a.stepped, [&](std::int64_t i, double t) { return SgdRule<Simd>(a.options[i], t); },
      [&](const SgdRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V momentum = loadSome(a.momenta[i], at, n);
        rule.step(parameter, gradient, momentum);
        storeSome(a.momenta[i], at, momentum, n);
      });
}

void Kernels::adamStep(const AdamStep& a) {
  eachStep(
      *this, a.stepped, [&](std::int64_t i, double t) { return AdamRule<Simd>(a.options[i], t); },
      [&](const AdamRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V mean = loadSome(a.means[i], at, n);
        V variance = loadSome(a.variances[i], at, n);
        V maximum = loadSome(a.maxima[i], at, n);
        rule.step(parameter, gradient, mean, variance, maximum);
        storeSome(a.means[i], at, mean, n);
        storeSome(a.variances[i], at, variance, n);
        storeSome(a.maxima[i], at, maximum, n);
      });
}

void Kernels::asgdStep(const AsgdStep& a) {
  eachStep(
      *this, a.stepped,
      [&](std::int64_t i, double t) { return AsgdRule<Simd>(a.options[i], t, a.rates[i][0]); },
      [&](const AsgdRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V average = loadSome(a.averages[i], at, n);
        rule.step(parameter, gradient, average);
        storeSome(a.averages[i], at, average, n);
      });
  for (std::int64_t i = 0; i < a.stepped.tensors; i++) {
    a.rates[i][0] = AsgdRule<Simd>::nextRate(a.options[i], a.stepped.steps[i][0]);
  }
}

void Kernels::adagradStep(const AdagradStep& a) {
  eachStep(
      *this, a.stepped, [&](std::int64_t i, double t) { return AdagradRule<Simd>(a.options[i], t); },
      [&](const AdagradRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V sum = loadSome(a.sums[i], at, n);
        rule.step(parameter, gradient, sum);
        storeSome(a.sums[i], at, sum, n);
      });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
