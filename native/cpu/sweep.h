// The part that both kinds of matrix products share: the tiles of a product, and its live rows.
#pragma once

#include "cpu/pack.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr std::int64_t kSmallWork = 1 << 18;  // multiply-adds; a single thread does less work than this

// The tiles of c [rows, columns] (+)= a · b, a(k, r) = a[r aRow + k aDepth], b given by panels, all in terms.
struct Sweep {
  const Term* a;
  std::int64_t aRow, aDepth;
  const Term* b;
  std::int64_t bDepth, bPanel;  // from k to k + 1, and from one panel to the next
  const Term* edge;             // the packed last panel, if it is not among those; or null
  std::int64_t depth;
  const float* start;  // see TileOperands
  std::int64_t startRow;
  float* c;
  std::int64_t cRow;
  std::int64_t rows, columns;

  // The number of calls of Ahead::step.
  std::int64_t calls() const { return stepsOf(rows, columns, depth); }

  void run(Ahead& ahead) const {
    for (std::int64_t j = 0; j < columns; j += kPanel) {
      const std::int64_t width = smaller(kPanel, columns - j);
      const bool atEdge = edge != nullptr && j + kPanel >= columns;
      for (std::int64_t i = 0, live; i < rows; i += live) {
        live = tileRows(rows - i, kTileRows);
        TileOperands t{a + i * aRow,
                       aRow,
                       aDepth,
                       atEdge ? edge : b + j / kPanel * bPanel,
                       atEdge ? kPanel : bDepth,
                       depth,
                       start == nullptr ? nullptr : start + i * startRow + j,
                       startRow,
                       c + i * cRow + j,
                       cRow};
        if (width % kLanes == 0) {
          tileOf(static_cast<int>(live), static_cast<int>(width / kLanes), t, ahead);
        } else {
          ragged(t, static_cast<int>(live), width, ahead);
        }
      }
    }
  }

 private:
  // Columns that are not whole vectors are copied.
  static void ragged(TileOperands t, int live, std::int64_t width, Ahead& ahead) {
    alignas(64) float edge[kTileRows * kPanel] = {};
    float* const c = t.c;
    const std::int64_t cRow = t.cRow;
    if (t.start != nullptr) {
      for (int r = 0; r < live; r++) copyNumbers(t.start + r * t.startRow, edge + r * kPanel, width);
      t.start = edge;
    }
    t.startRow = t.cRow = kPanel;
    t.c = edge;
    tileOf(live, static_cast<int>((width + kLanes - 1) / kLanes), t, ahead);
    for (int r = 0; r < live; r++) copyNumbers(edge + r * kPanel, c + r * cRow, width);
  }
};

// The entries of a list of live rows that are rows [first, end).
struct Entries {
  std::int64_t begin, end;
};
PACKED_RNN_INLINE std::int64_t firstAtLeast(const Live& live, std::int64_t row) {
  std::int64_t low = 0;
  for (std::int64_t high = live.count; low < high;) {
    const std::int64_t middle = (low + high) / 2;
    live.rows[middle] < row ? low = middle + 1 : high = middle;
  }
  return low;
}
PACKED_RNN_INLINE Entries entriesOf(const Live& live, std::int64_t first, std::int64_t end) {
  if (live.rows == nullptr) return {first, end};
  return {firstAtLeast(live, first), firstAtLeast(live, end)};
}
// Whether entries [i, i + count) are adjacent rows.
PACKED_RNN_INLINE bool adjacent(const Live& live, std::int64_t i, std::int64_t count) {
  return live.rows == nullptr || live.rows[i + count - 1] - live.rows[i] == count - 1;
}

// The product where `a` is transposed; see gemm.
void productOfSlices(CpuBackend& backend, const Gemm& g);

}  // namespace packed_rnn::PACKED_RNN_ISA
