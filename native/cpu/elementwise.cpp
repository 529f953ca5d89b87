// Functions of single elements, and the sum of all.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 16384;

// f on every element. The tail runs the same code on a padded vector, so an element's bits do not depend on
// its place.
template <class F>
void map(CpuBackend& backend, const ApplyElementwise& a, F f) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      store(a.out + i, f(load(a.a + i), a.b == nullptr ? V{} : load(a.b + i)));
    if (i < end) {
      const int n = static_cast<int>(end - i);
      storeFirst(a.out + i, f(loadFirst(a.a + i, n), a.b == nullptr ? V{} : loadFirst(a.b + i, n)), n);
    }
  };
  parallelChunks(backend, a.count, kChunk, body);
}

}  // namespace

void Kernels::elementwise(const ApplyElementwise& a) {
  switch (a.function) {
    case Elementwise::copy:
      return map(*this, a, [](V x, V) { return x; });
    case Elementwise::add:
      return map(*this, a, [](V x, V y) { return x + y; });
    case Elementwise::multiply:
      return map(*this, a, [](V x, V y) { return x * y; });
    case Elementwise::scale: {
      const float factor = a.b[0];
      ApplyElementwise alone = a;
      alone.b = nullptr;
      return map(*this, alone, [factor](V x, V) { return x * factor; });
    }
    case Elementwise::tanh:
      return map(*this, a, [](V x, V) { return Simd::tanh(x); });
    case Elementwise::sigmoid:
      return map(*this, a, [](V x, V) { return 1.0f / (1.0f + exponential(-x)); });
    case Elementwise::relu:
      return map(*this, a, [](V x, V) { return x < 0.0f ? V{} : x; });
    case Elementwise::tanhBackward:
      return map(*this, a, [](V y, V dy) { return dy * (1.0f - y * y); });
    case Elementwise::sigmoidBackward:
      return map(*this, a, [](V y, V dy) { return dy * y * (1.0f - y); });
    case Elementwise::reluBackward:
      return map(*this, a, [](V y, V dy) { return y > 0.0f ? dy : V{}; });
  }
}

void Kernels::fill(const Fill& a) {
  const float value = a.from == nullptr ? a.value : a.from[0];
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i++) a.out[i] = value;
  };
  parallelChunks(*this, a.count, kChunk, body);
}

void Kernels::sum(const Sum& a) {
  const std::int64_t chunks = (a.count + kChunk - 1) / kChunk;
  Scratch<float> partial(*this, chunks);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    V total = V{};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) total += load(a.values + i);
    if (i < end) total += loadFirst(a.values + i, static_cast<int>(end - i));
    partial[begin / kChunk] = sumOfLanes(total);
  };
  parallelChunks(*this, a.count, kChunk, body);
  double total = 0;
  for (std::int64_t c = 0; c < chunks; c++) total += static_cast<double>(partial[c]);
  a.out[0] = static_cast<float>(total);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
