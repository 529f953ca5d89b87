// Softmax over rows and over the tokens of sequences, and layer normalisation.
#include "cpu/row.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

std::int64_t rowsOfTask(std::int64_t columns) { return larger(1, 8192 / larger(1, columns)); }

}  // namespace

template <>
void run(CpuBackend& kernels, const Softmax& a) {
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++)
      softmaxRow(a.x + r * a.columns, a.y + r * a.columns, a.columns, a.logarithm);
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), rows);
}

template <>
void run(CpuBackend& kernels, const SoftmaxBackward& a) {
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const std::int64_t first = r * a.columns;
      softmaxBackwardRow(a.y + first, a.dY + first, a.dX + first, a.columns, a.logarithm);
    }
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), rows);
}

namespace {

// body(begin, end, column, live) for a strip of columns of each sequence.
template <class Body>
void eachStrip(CpuBackend& kernels, const Sequences& sequences, std::int64_t columns, Body body) {
  const std::int64_t strips = (columns + kLanes - 1) / kLanes;
  auto tasks = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; t++) {
      const std::int64_t b = t / strips, column = t % strips * kLanes;
      body(std::int64_t{sequences.offsets[b]}, std::int64_t{sequences.offsets[b + 1]}, column,
           static_cast<int>(smaller(kLanes, columns - column)));
    }
  };
  const std::int64_t length = sequences.count == 0 ? 1 : larger(1, sequences.rows() / sequences.count);
  parallelChunks(kernels, sequences.count * strips, larger(1, 1024 / length), tasks);
}

// add(n, sum) over the tokens of a sequence; partial sums reduce the rounding error of long sums.
template <class Add>
PACKED_RNN_INLINE V sumOfTokens(std::int64_t begin, std::int64_t end, Add add) {
  constexpr std::int64_t kPartial = 256;
  V total = V{};
  for (std::int64_t first = begin; first < end; first += kPartial) {
    V partial = V{};
    for (std::int64_t n = first; n < smaller(end, first + kPartial); n++) partial = add(n, partial);
    total += partial;
  }
  return total;
}

}  // namespace

template <>
void run(CpuBackend& kernels, const SegmentSoftmax& a) {
  eachStrip(kernels, a.sequences, a.columns,
            [&](std::int64_t begin, std::int64_t end, std::int64_t column, int live) {
              const auto at = [&](std::int64_t n) { return loadSome(a.x + n * a.columns + column, live); };
              float* const y = a.y + column;
              V largest = splat(-__builtin_inff());
              for (std::int64_t n = begin; n < end; n++) largest = Simd::max(largest, at(n));
              const V total = sumOfTokens(begin, end, [&](std::int64_t n, V sum) {
                const V power = Accurate::exp(at(n) - largest);
                storeSome(y + n * a.columns, power, live);
                return sum + power;
              });
              for (std::int64_t n = begin; n < end; n++)
                storeSome(y + n * a.columns, loadSome(y + n * a.columns, live) / total, live);
            });
}

template <>
void run(CpuBackend& kernels, const SegmentSoftmaxBackward& a) {
  eachStrip(kernels, a.sequences, a.columns,
            [&](std::int64_t begin, std::int64_t end, std::int64_t column, int live) {
              const V total = sumOfTokens(begin, end, [&](std::int64_t n, V sum) {
                const std::int64_t at = n * a.columns + column;
                return fma(loadSome(a.y + at, live), loadSome(a.dY + at, live), sum);
              });
              for (std::int64_t n = begin; n < end; n++) {
                const std::int64_t at = n * a.columns + column;
                storeSome(a.dX + at, loadSome(a.y + at, live) * (loadSome(a.dY + at, live) - total), live);
              }
            });
}

template <>
void run(CpuBackend& kernels, const LayerNorm& a) {
  const auto columns = static_cast<float>(a.columns);
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const float* const x = a.x + r * a.columns;
      V sums = V{}, squares = V{};
      eachVector(a.columns, [&](std::int64_t i, int n) { sums += loadSome(x + i, n); });
      const float mean = sumOfLanes(sums) / columns;
      eachVector(a.columns, [&](std::int64_t i, int n) {
        const V d = loadSome(x + i, n) - mean;
        const V own = n == kLanes ? d : keepFirst(d, n);
        squares = fma(own, own, squares);
      });
      const float rate = 1.0f / __builtin_sqrtf(sumOfLanes(squares) / columns + a.epsilon);
      a.mean[r] = mean;
      a.rate[r] = rate;
      eachVector(a.columns, [&](std::int64_t i, int n) {
        V y = (loadSome(x + i, n) - mean) * rate;
        if (a.weight != nullptr) y = y * loadSome(a.weight + i, n);
        if (a.bias != nullptr) y = y + loadSome(a.bias + i, n);
        storeSome(a.y + r * a.columns + i, y, n);
      });
    }
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), rows);
}

template <>
void run(CpuBackend& kernels, const LayerNormBackward& a) {
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const std::int64_t first = r * a.columns;
      const auto normalized = [&](std::int64_t i, int n) {
        return (loadSome(a.x + first + i, n) - a.mean[r]) * a.rate[r];
      };
      const auto weighted = [&](std::int64_t i, int n) {
        const V d = loadSome(a.dY + first + i, n);
        return a.weight == nullptr ? d : d * loadSome(a.weight + i, n);
      };
      V sums = V{}, products = V{};
      eachVector(a.columns, [&](std::int64_t i, int n) {
        const V d = weighted(i, n);  // 0 past the end
        sums += d;
        products = fma(d, normalized(i, n), products);
      });
      const float meanD = sumOfLanes(sums) / static_cast<float>(a.columns);
      const float meanProduct = sumOfLanes(products) / static_cast<float>(a.columns);
      eachVector(a.columns, [&](std::int64_t i, int n) {
        const V own = normalized(i, n);
        if (a.dX != nullptr)
          storeSome(a.dX + first + i, (weighted(i, n) - meanD - own * meanProduct) * a.rate[r], n);
        if (a.dWeights != nullptr) storeSome(a.dWeights + first + i, loadSome(a.dY + first + i, n) * own, n);
      });
    }
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), rows);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
