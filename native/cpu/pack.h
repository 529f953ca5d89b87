// Operands of products as terms, in the order in which tiles read them.
#pragma once

#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace packed_rnn::PACKED_RNN_ISA {

// A panel is kPanel columns, term by term: [termsIn(depth)][kPanel]. Panels are contiguous. The last one has
// the same width and is padded with zeros.
constexpr std::int64_t panelsOf(std::int64_t columns) { return (columns + kPanel - 1) / kPanel; }
constexpr std::int64_t panelTerms(std::int64_t columns, std::int64_t depth) {
  return panelsOf(columns) * termsIn(depth) * kPanel;
}

// to[t · toStride + i] = term t of row i, which runs along k: `rows` rows as kLanes columns, 0 <= rows <=
// kLanes. Missing rows are zeros.
void packAlong(const float* from, std::int64_t stride, int rows, std::int64_t depth, Term* to,
               std::int64_t toStride);

// The terms of `depth` rows of an operand with k along its rows in memory, for columns [first, first +
// columns), padded with zeros to whole vectors. The rows are ks[0], ks[1], …, or k0, k0 + 1, … if ks is null.
// Successive steps of k are `stride` terms apart.
void copyTerms(const Operand& x, const std::int32_t* ks, std::int64_t k0, std::int64_t depth,
               std::int64_t first, std::int64_t columns, Term* to, std::int64_t stride);

#if defined(PACKED_RNN_TILES)
// The same, transposed: the terms of a column are neighbours, and columns are `stride` terms apart. Terms and
// columns are padded with zeros to whole vectors.
void copyTermsAcross(const Operand& x, const std::int32_t* ks, std::int64_t k0, std::int64_t depth,
                     std::int64_t first, std::int64_t columns, Term* to, std::int64_t stride);
#endif

// Packs panel p of an operand [depth, columns], or all panels, with the team or alone.
void packPanel(const Operand& b, std::int64_t columns, std::int64_t depth, std::int64_t p, Term* to);
void packPanels(CpuBackend& backend, const Operand& b, std::int64_t columns, std::int64_t depth, Term* packed,
                bool alone);

// to[c · toStride + r] = from[r · fromStride + c], r < rows, c < columns, both at most kLanes.
void transposeBlock(const float* from, std::int64_t fromStride, int rows, int columns, float* to,
                    std::int64_t toStride);

PACKED_RNN_INLINE void copyNumbers(const float* from, float* to, std::int64_t count) {
  for (; count >= kLanes; from += kLanes, to += kLanes, count -= kLanes) store(to, load(from));
  if (count == 0) return;
  const int rest = static_cast<int>(count);
  storeFirst(to, loadFirst(from, rest), rest);
}
PACKED_RNN_INLINE void clearNumbers(float* to, std::int64_t count) {
  for (; count >= kLanes; to += kLanes, count -= kLanes) store(to, V{});
  if (count > 0) storeFirst(to, V{}, static_cast<int>(count));
}

}  // namespace packed_rnn::PACKED_RNN_ISA
