// Steps over many tensors at once: clipping, SGD and Adam.
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

PACKED_RNN_INLINE V loadSome(const float* p, int n) { return n == kLanes ? load(p) : loadFirst(p, n); }
PACKED_RNN_INLINE void storeSome(float* p, V v, int n) { n == kLanes ? store(p, v) : storeFirst(p, v, n); }

}  // namespace

void Kernels::clipNorm(const Norm& a) {
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < a.tensors; i++) chunks += (a.counts[i] + kChunk - 1) / kChunk;
  Scratch<float> partial(*this, chunks);
  auto squares = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t chunk) {
    V sum = V{};
    eachVector(begin, end, [&](std::int64_t at, int n) {
      const V x = loadSome(a.values[i] + at, n);
      sum = fma(x, x, sum);
    });
    partial[chunk] = sumOfLanes(sum);
  };
  eachChunk(*this, a.tensors, a.counts, squares);
  double total = 0;
  for (std::int64_t c = 0; c < chunks; c++) total += static_cast<double>(partial[c]);
  const auto norm = static_cast<float>(__builtin_sqrt(total));
  a.total[0] = norm;
  // PyTorch's coefficient; NaN passes through the comparison, as it does there.
  float coefficient = a.maxNorm / (norm + 1e-6f);
  if (coefficient > 1.0f) coefficient = 1.0f;
  auto scale = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    float* x = a.values[i];
    eachVector(begin, end,
               [&](std::int64_t at, int n) { storeSome(x + at, loadSome(x + at, n) * coefficient, n); });
  };
  eachChunk(*this, a.tensors, a.counts, scale);
}

void Kernels::sgdStep(const SgdStep& a) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    float* parameter = a.parameters[i];
    const float* gradient = a.gradients[i];
    float* momentum = a.momenta == nullptr ? nullptr : a.momenta[i];
    const bool first = a.firstSteps[i] != 0;
    eachVector(begin, end, [&](std::int64_t at, int n) {
      V step = loadSome(gradient + at, n);
      if (momentum != nullptr) {
        if (!first) step = fma(loadSome(momentum + at, n), splat(a.momentum), step);
        storeSome(momentum + at, step, n);
      }
      storeSome(parameter + at, fma(step, splat(-a.learningRate), loadSome(parameter + at, n)), n);
    });
  };
  eachChunk(*this, a.tensors, a.counts, body);
}

void Kernels::adamStep(const AdamStep& a) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    const auto t = static_cast<double>(a.steps[i]);
    const double correction1 = 1 - __builtin_pow(a.beta1, t);
    const double correction2 = 1 - __builtin_pow(a.beta2, t);
    const AdamRule<Simd> rule{splat(static_cast<float>(1 - a.beta1)),
                              splat(static_cast<float>(a.beta2)),
                              splat(static_cast<float>(1 - a.beta2)),
                              splat(static_cast<float>(a.learningRate / correction1)),
                              splat(static_cast<float>(__builtin_sqrt(correction2))),
                              splat(static_cast<float>(a.epsilon))};
    eachVector(begin, end, [&](std::int64_t at, int n) {
      V parameter = loadSome(a.parameters[i] + at, n);
      V mean = loadSome(a.means[i] + at, n);
      V variance = loadSome(a.variances[i] + at, n);
      rule.step(parameter, loadSome(a.gradients[i] + at, n), mean, variance);
      storeSome(a.parameters[i] + at, parameter, n);
      storeSome(a.means[i] + at, mean, n);
      storeSome(a.variances[i] + at, variance, n);
    });
  };
  eachChunk(*this, a.tensors, a.counts, body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
