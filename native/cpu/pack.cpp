#include "cpu/pack.h"

#include <utility>

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// In each pair of rows i and i + step, exchanges the first row's lanes whose number has the bit `step` with
// the second row's lanes whose number lacks it.
template <int step, class Vector, int... lane>
PACKED_RNN_INLINE void exchange(Vector* v, std::integer_sequence<int, lane...>) {
  constexpr VI low = {((lane & step) != 0 ? lane - step + kLanes : lane)...};
  constexpr VI high = {((lane & step) != 0 ? lane + kLanes : lane + step)...};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & step) != 0) continue;
    const Vector a = v[i], b = v[i + step];
    v[i] = __builtin_shuffle(a, b, low);
    v[i + step] = __builtin_shuffle(a, b, high);
  }
}

template <class Vector>
PACKED_RNN_INLINE void transpose(Vector* v) {
  constexpr std::make_integer_sequence<int, kLanes> lanes{};
  exchange<1>(v, lanes);
  exchange<2>(v, lanes);
  if constexpr (kLanes > 4) exchange<4>(v, lanes);
  if constexpr (kLanes > 8) exchange<8>(v, lanes);
}

// packAlong for at most kLanes terms: either all kLanes rows and terms, or fewer.
template <bool whole>
void packSquare(const float* from, std::int64_t stride, int rows, int depth, Term* to,
                std::int64_t toStride) {
  TermV v[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    v[i] = whole ? termsAlong(from + i * stride) : i < rows ? termsAlong(from + i * stride, depth) : TermV{};
  }
  transpose(v);
  const int terms = whole ? kLanes : static_cast<int>(termsIn(depth));
#pragma GCC unroll 16
  for (int t = 0; t < kLanes; t++) {
    if (t < terms) store(to + t * toStride, v[t]);
  }
}

}  // namespace

void packAlong(const float* from, std::int64_t stride, int rows, std::int64_t depth, Term* to,
               std::int64_t toStride) {
  constexpr std::int64_t kStep = kLanes * kTermDepth;
  for (std::int64_t k = 0; k < depth; k += kStep, to += kLanes * toStride) {
    const int left = static_cast<int>(smaller(kStep, depth - k));
    const auto square = rows == kLanes && left == kStep ? packSquare<true> : packSquare<false>;
    square(from + k, stride, rows, left, to, toStride);
  }
}

void copyTerms(const Operand& x, const std::int32_t* ks, std::int64_t k0, std::int64_t depth,
               std::int64_t first, std::int64_t columns, Term* to, std::int64_t stride) {
  for (std::int64_t k = 0; k < termsIn(depth) * kTermDepth; k += kTermDepth, to += stride) {
    const float* from[kTermDepth];
    for (int d = 0; d < kTermDepth; d++) {
      std::int64_t row = k + d >= depth ? -1 : ks == nullptr ? k0 + k + d : ks[k + d];
      if (row >= 0 && x.rows != nullptr) row = x.rows[row];
      from[d] = row < 0 ? nullptr : x.data + row * x.stride + first;
    }
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const int live = static_cast<int>(smaller(kLanes, columns - c));
      V across[kTermDepth] = {};
      for (int d = 0; d < kTermDepth; d++) {
        if (from[d] != nullptr) across[d] = live == kLanes ? load(from[d] + c) : loadFirst(from[d] + c, live);
      }
      store(to + c, termsOf(across));
    }
  }
}

#if defined(PACKED_RNN_TILES)

void copyTermsAcross(const Operand& x, const std::int32_t* ks, std::int64_t k0, std::int64_t depth,
                     std::int64_t first, std::int64_t columns, Term* to, std::int64_t stride) {
  constexpr std::int64_t kStep = kLanes * kTermDepth;
  for (std::int64_t c = 0; c < columns; c += kLanes) {
    for (std::int64_t k = 0; k < depth; k += kStep) {
      Term square[kLanes * kLanes];
      copyTerms(x, ks == nullptr ? nullptr : ks + k, k0 + k, smaller(kStep, depth - k), first + c,
                smaller(kLanes, columns - c), square, kLanes);
      TermV v[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; i++) v[i] = load(square + i * kLanes);
      transpose(v);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; i++) store(to + (c + i) * stride + k / kTermDepth, v[i]);
    }
  }
}

#endif

void packPanel(const Operand& b, std::int64_t columns, std::int64_t depth, std::int64_t p, Term* to) {
  const std::int64_t first = p * kPanel;
  const std::int64_t width = smaller(kPanel, columns - first);
  if (!b.transposed) return copyTerms(b, nullptr, 0, depth, first, width, to, kPanel);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const int rows = static_cast<int>(smaller(kLanes, width - i));
    packAlong(b.data + (first + i) * b.stride, b.stride, rows, depth, to + i, kPanel);
  }
}

void packPanels(CpuBackend& backend, const Operand& b, std::int64_t columns, std::int64_t depth, Term* packed,
                bool alone) {
  auto task = [&](std::int64_t p, int) {
    packPanel(b, columns, depth, p, packed + p * termsIn(depth) * kPanel);
  };
  const std::int64_t panels = panelsOf(columns);
  if (!alone) return parallel(backend, panels, task);
  for (std::int64_t p = 0; p < panels; p++) task(p, 0);
}

void transposeBlock(const float* from, std::int64_t fromStride, int rows, int columns, float* to,
                    std::int64_t toStride) {
  V v[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    const float* const row = from + i * fromStride;
    v[i] = i >= rows ? V{} : columns == kLanes ? load(row) : loadFirst(row, columns);
  }
  transpose(v);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if (i < columns)
      rows == kLanes ? store(to + i * toStride, v[i]) : storeFirst(to + i * toStride, v[i], rows);
  }
}

}  // namespace packed_rnn::PACKED_RNN_ISA
