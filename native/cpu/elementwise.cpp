// Elementwise functions, copies between any layouts, and fills.
#include "cpu/pack.h"
#include "functions.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 16384;
constexpr std::int64_t kBlock = 256;  // of a row whose operands are not contiguous

// An operand along a row: contiguous, or the same number repeated.
struct Along {
  const float* from;
  bool same;
  PACKED_RNN_INLINE V at(std::int64_t i) const { return same ? splat(*from) : load(from + i); }
  PACKED_RNN_INLINE V first(std::int64_t i, int n) const {
    return same ? splat(*from) : loadFirst(from + i, n);
  }
};

// The tail runs the same code on a padded vector, so an element's bits do not depend on its place.
template <int function>
void applyAlong(std::int64_t count, const Along& a, const Along& b, const Along& c, float* out) {
  constexpr auto f = static_cast<Function>(function);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(out + i, Functions<Accurate>::apply<f>(a.at(i), b.at(i), c.at(i)));
  if (i == count) return;
  const int n = static_cast<int>(count - i);
  storeFirst(out + i, Functions<Accurate>::apply<f>(a.first(i, n), b.first(i, n), c.first(i, n)), n);
}

using Apply = void (*)(std::int64_t, const Along&, const Along&, const Along&, float*);
template <int... function>
constexpr Apply applyOf(int which, std::integer_sequence<int, function...>) {
  constexpr Apply all[] = {applyAlong<function>...};
  return all[which];
}

// The places of an operand's elements.
struct Layout4 {
  const float* from;
  std::int64_t stride[4];
  bool contiguous, same;
  PACKED_RNN_INLINE Layout4(const float* data, const float& number, const Four& shape, const Four& strides)
      : from(data), stride{}, contiguous(data != nullptr), same(true) {
    std::int64_t next = 1;
    for (int d = 3; d >= 0; d--) {
      const bool matters = shape.at[d] > 1;
      stride[d] = data == nullptr ? 0 : strides.at[d];
      contiguous = contiguous && (!matters || stride[d] == next);
      same = same && (!matters || stride[d] == 0);
      next *= shape.at[d];
    }
    if (data == nullptr) from = &number;
  }
  PACKED_RNN_INLINE bool flat() const { return contiguous || same; }
  PACKED_RNN_INLINE Along along(std::int64_t i) const { return {same ? from : from + i, same}; }
};

// Row r of the three outer dimensions.
PACKED_RNN_INLINE std::int64_t rowOffset(std::int64_t r, const Four& shape, const std::int64_t (&stride)[4]) {
  return r % shape.at[2] * stride[2] + r / shape.at[2] % shape.at[1] * stride[1] +
         r / shape.at[2] / shape.at[1] * stride[0];
}

}  // namespace

template <>
void run(CpuBackend& kernels, const Elementwise& p) {
  const std::int64_t count = p.count();
  if (count == 0) return;
  const Apply apply =
      applyOf(static_cast<int>(p.function), std::make_integer_sequence<int, valuesOf<Function>()>{});
  const Layout4 a(p.a, p.numberA, p.shape, p.stridesA), b(p.b, p.numberB, p.shape, p.stridesB),
      c(p.c, p.numberC, p.shape, p.stridesC);
  if (a.flat() && b.flat() && c.flat()) {
    auto body = [&](std::int64_t begin, std::int64_t end) {
      apply(end - begin, a.along(begin), b.along(begin), c.along(begin), p.out + begin);
    };
    return parallelChunks(kernels, count, kChunk, body);
  }
  const std::int64_t width = p.shape.at[3];
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    float blocks[3][kBlock];
    for (std::int64_t r = begin; r < end; r++) {
      // For an operand with a stride: makes some of its elements contiguous.
      const auto along = [&](const Layout4& operand, std::int64_t at, std::int64_t n, int which) -> Along {
        const float* const from = operand.from + rowOffset(r, p.shape, operand.stride);
        const std::int64_t step = width == 1 ? 0 : operand.stride[3];
        if (step == 0) return {from, true};
        if (step == 1) return {from + at, false};
        for (std::int64_t i = 0; i < n; i++) blocks[which][i] = from[(at + i) * step];
        return {blocks[which], false};
      };
      for (std::int64_t at = 0; at < width; at += kBlock) {
        const std::int64_t n = smaller(kBlock, width - at);
        apply(n, along(a, at, n, 0), along(b, at, n, 1), along(c, at, n, 2), p.out + r * width + at);
      }
    }
  };
  parallelChunks(kernels, count / width, larger(1, kChunk / width), rows);
}

template <>
void run(CpuBackend& kernels, const CopyStrided& p) {
  std::int64_t rows = p.shape.at[0] * p.shape.at[1] * p.shape.at[2];
  const std::int64_t width = p.shape.at[3];
  if (rows * width == 0) return;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const float* const from = p.source + p.sourceFirst + rowOffset(r, p.shape, p.sourceStrides.at);
      float* const to = p.destination + p.destinationFirst + rowOffset(r, p.shape, p.destinationStrides.at);
      const std::int64_t step = p.sourceStrides.at[3], toStep = p.destinationStrides.at[3];
      if (step == 1 && toStep == 1) {
        copyNumbers(from, to, width);
      } else {
        for (std::int64_t i = 0; i < width; i++) to[i * toStep] = from[i * step];
      }
    }
  };
  parallelChunks(kernels, rows, larger(1, kChunk / width), body);
}

template <>
void run(CpuBackend& kernels, const Fill& a) {
  const float value = a.from == nullptr ? a.value : a.from[0];
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i++) a.out[i] = value;
  };
  parallelChunks(kernels, a.count, kChunk, body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
