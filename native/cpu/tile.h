// The register tile of every matrix product, and its prefetching.
#pragma once

#include <utility>

#include "cpu/tiles.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr int kPanel = kTileVectors * kLanes;  // columns of a full tile

// Rows of the next tile if `left` are left. The last two tiles share what is too much for one, because a tile
// of one or two rows would wait for its own sums.
PACKED_RNN_INLINE int tileRows(std::int64_t left, int most) {
  if (kHasTiles || left >= 2 * most) return static_cast<int>(left < most ? left : most);
  return static_cast<int>(left <= most ? left : (left + 1) / 2);
}
constexpr int kMostAhead = 128;  // ranges: four for each sequence in lock step

// Memory that will be needed soon. A few lines at a time are prefetched between multiplications: a burst
// would fill the buffers of the first-level cache, and the operands would then wait behind it. A range may be
// anywhere: addresses that do not exist are not fetched.
class Ahead {
 public:
  void add(const float* first, std::int64_t count) {
    if (count <= 0) return;
    ranges_[count_++] = {first, first + count};
    lines_ += (count + kLine - 1) / kLine;
  }
  // Call this after the last add(). `calls` is the number of calls of step().
  void spread(std::int64_t calls) {
    perCall_ = calls == 0 ? 0 : static_cast<int>((lines_ + calls - 1) / calls);
  }

  PACKED_RNN_INLINE void step() {
    for (int i = 0; i < perCall_ && current_ < count_; i++) {
      Range& range = ranges_[current_];
      prefetch(range.next);
      range.next += kLine;
      if (range.next >= range.end) current_++;
    }
  }

 private:
  static constexpr std::int64_t kLine = 64 / sizeof(float);
  struct Range {
    const float *next, *end;
  };
  Range ranges_[kMostAhead];
  int count_ = 0, current_ = 0, perCall_ = 0;
  std::int64_t lines_ = 0;
};
// Multiplications between two calls of step().
constexpr std::int64_t kAheadDepth = kHasTiles ? kTermsAtOnce : 8;

// How often a product calls step().
PACKED_RNN_INLINE std::int64_t stepsOf(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  const std::int64_t panels = (columns + kPanel - 1) / kPanel, deep = (depth + kAheadDepth - 1) / kAheadDepth;
  if constexpr (kHasTiles) {
    // Two tiles of rows take the columns of a panel in pairs of vectors.
    const bool single = rows % kTileRows > 0 && rows % kTileRows <= kTileRows / 2;
    const std::int64_t pairs = (columns + 2 * kLanes - 1) / (2 * kLanes);
    return ((rows + kTileRows / 2 - 1) / kTileRows * pairs + (single ? panels : 0)) * deep;
  }
  return (rows + kTileRows - 1) / kTileRows * panels * deep;
}

// c(r) = start(r) + Σₖ a(k, r) b(k), r < rows, k < depth, for `vectors` vectors of columns. a and b are
// terms.
struct TileOperands {
  const Term* a;  // a(k, r) = a[r aRow + k aDepth]
  std::int64_t aRow, aDepth;
  const Term* b;  // b(k) = b + k bDepth
  std::int64_t bDepth;
  std::int64_t depth;
  const float* start;  // start(r) = start + r startRow; null: zeros. May be c.
  std::int64_t startRow;
  float* c;  // c(r) = c + r cRow
  std::int64_t cRow;
};

#if defined(PACKED_RNN_TILES)

// `skipped`: a vector of columns that is neither computed nor written, or -1.
template <int NV, bool two, int skipped = -1>
__attribute__((noinline)) void multiplyTiles(const TileOperands& t, Ahead& ahead) {
  const auto each = [](auto f) {
    [&]<int... v>(std::integer_sequence<int, v...>) {
      ((v == skipped ? void() : f.template operator()<v>()), ...);
    }
    (std::make_integer_sequence<int, NV>());
  };
  constexpr std::int64_t kBytes = sizeof(float);
  each([&]<int v>() {
    if (t.start == nullptr) {
      tiles::clear<v>();
      if constexpr (two) tiles::clear<2 + v>();
    } else {
      const float* const start = t.start + v * kLanes;
      tiles::read<v>(start, t.startRow * kBytes);
      if constexpr (two) tiles::read<2 + v>(start + kTileSide * t.startRow, t.startRow * kBytes);
    }
  });
  const Term* const lower = t.a + kTileSide * t.aRow;
  for (std::int64_t k = 0; k < t.depth; k += kTermsAtOnce) {
    ahead.step();
    tiles::read<4>(t.a + k, t.aRow * kBytes);
    if constexpr (two) tiles::read<5>(lower + k, t.aRow * kBytes);
    each([&]<int v>() {
      tiles::read<6 + v % 2>(t.b + k * t.bDepth + v * kLanes, t.bDepth * kBytes);
      tiles::multiply<v, 4, 6 + v % 2>();
      if constexpr (two) tiles::multiply<2 + v, 5, 6 + v % 2>();
    });
  }
  each([&]<int v>() {
    float* const c = t.c + v * kLanes;
    tiles::write<v>(c, t.cRow * kBytes);
    if constexpr (two) tiles::write<2 + v>(c + kTileSide * t.cRow, t.cRow * kBytes);
  });
}

// Here aDepth is 1: the terms of a row are neighbours. 1 <= rows <= kTileRows
template <int NV, int skipped = -1>
void tilesOf(int rows, const TileOperands& t, Ahead& ahead) {
  beginTiles(rows);
  if (rows <= kTileSide) return multiplyTiles<NV, false, skipped>(t, ahead);
  const auto two = [&]<int first>() {
    constexpr int at = first * kLanes, count = NV - first < 2 ? NV - first : 2;
    multiplyTiles<count, true, skipped - first>(
        {t.a, t.aRow, 1, t.b + at, t.bDepth, t.depth, t.start == nullptr ? nullptr : t.start + at, t.startRow,
         t.c + at, t.cRow},
        ahead);
  };
  two.template operator()<0>();
  if constexpr (NV > 2) two.template operator()<2>();
}

// 1 <= vectors <= kTileVectors
PACKED_RNN_INLINE void tileOf(int rows, int vectors, const TileOperands& t, Ahead& ahead) {
  switch (vectors) {
    case 1:
      return tilesOf<1>(rows, t, ahead);
    case 2:
      return tilesOf<2>(rows, t, ahead);
    case 3:
      return tilesOf<3>(rows, t, ahead);
    default:
      return tilesOf<4>(rows, t, ahead);
  }
}

#else

// Not inlined: inside a larger function GCC spills the sums.
template <int R, int NV>
__attribute__((noinline)) void tile(const TileOperands& t, Ahead& ahead) {
  V acc[R][NV];
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      acc[r][v] = t.start == nullptr ? V{} : load(t.start + r * t.startRow + v * kLanes);
  const Term* a = t.a;
  const Term* b = t.b;
  const std::int64_t aRow = t.aRow, aDepth = t.aDepth, bDepth = t.bDepth;
  // The rows of the result are prefetched one row at a time. Otherwise the stores at the end would wait for
  // them, and the next tile for the stores. If the sum continues from c, its lines are already loaded, and
  // the rows below come next.
  float* row = t.start == t.c ? t.c + R * t.cRow : t.c;
  int rows = R;
  for (std::int64_t left = t.depth; left > 0; left -= kAheadDepth) {
    ahead.step();
    if (rows-- > 0) {
      for (int v = 0; v < NV; v++) prefetchToWrite(row + v * kLanes);
      row += t.cRow;
    }
    const Term* const end = b + (left < kAheadDepth ? left : kAheadDepth) * bDepth;
    for (; b != end; a += aDepth, b += bDepth) {
      TermV w[NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) w[v] = load(b + v * kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < R; r++) {
        const TermV x = splat(a[r * aRow]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[r][v] = multiplyAdd(x, w[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) store(t.c + r * t.cRow + v * kLanes, acc[r][v]);
}

template <int NV>
void tileOf(int rows, const TileOperands& t, Ahead& ahead) {
  switch (rows) {
    case 1:
      return tile<1, NV>(t, ahead);
    case 2:
      return tile<2, NV>(t, ahead);
    case 3:
      return tile<3, NV>(t, ahead);
    case 4:
      return tile<4, NV>(t, ahead);
    case 5:
      return tile<5, NV>(t, ahead);
    default:
      return tile<6, NV>(t, ahead);
  }
}

// 1 <= rows <= kTileRows, 1 <= vectors <= kTileVectors
PACKED_RNN_INLINE void tileOf(int rows, int vectors, const TileOperands& t, Ahead& ahead) {
  if (vectors == kTileVectors) return tileOf<kTileVectors>(rows, t, ahead);
  if (vectors == 1) return tileOf<1>(rows, t, ahead);
  if constexpr (kTileVectors > 2) vectors == 2 ? tileOf<2>(rows, t, ahead) : tileOf<3>(rows, t, ahead);
}

#endif

}  // namespace packed_rnn::PACKED_RNN_ISA
