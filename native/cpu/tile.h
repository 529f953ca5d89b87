// The register tile of every matrix product, and its prefetching.
#pragma once

#include "cpu/terms.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr int kPanel = kTileVectors * kLanes;  // columns of a full tile

// Rows of the next tile if `left` are left. The last two tiles share what is too much for one, because a tile
// of one or two rows would wait for its own sums.
PACKED_RNN_INLINE int tileRows(std::int64_t left, int most) {
  if (left >= 2 * most) return most;
  return static_cast<int>(left <= most ? left : (left + 1) / 2);
}
constexpr int kMostAhead = 96;  // ranges: four for each sequence in lock step

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
constexpr std::int64_t kAheadDepth = 8;  // multiplications between two calls of step()

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

}  // namespace packed_rnn::PACKED_RNN_ISA
