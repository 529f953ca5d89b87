// Products whose long sums run along the rows of both operands, such as the gradients of weights. Fixed
// slices of the sum are tasks, each with a separate result. The results are added in order.
#include "cpu/sweep.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kPairs =
    kHasTiles ? 256 : 192 / kTermDepth;               // terms of a block of k, whose operands stay in L2
constexpr std::int64_t kBlock = kPairs * kTermDepth;  // steps of k

// Sums of columns over k. Each block of k has its own sum, wherever a list of live rows cuts it. These are
// added in order.
struct ColumnSums {
  float *partial, *totals;

  // Adds rows k0, k0 + 1, … or ks[0], ks[1], … of `x`, `depth` of them, for columns [first, first + columns),
  // whose sums begin at `at`. `before` is the row before the first of them, which may have begun the same
  // block.
  void add(const Operand& x, const std::int32_t* ks, std::int64_t k0, std::int64_t depth, std::int64_t before,
           std::int64_t first, std::int64_t columns, std::int64_t at) const {
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const int live = static_cast<int>(smaller(kLanes, columns - c));
      V sum = load(partial + at + c), total = load(totals + at + c);
      std::int64_t block = before / kBlock;
      for (std::int64_t i = 0; i < depth; i++) {
        const std::int64_t k = ks == nullptr ? k0 + i : ks[i];
        if (k / kBlock != block) {
          total += sum;
          sum = V{};
          block = k / kBlock;
        }
        const float* const from = x.data + k * x.stride + first + c;
        sum += live == kLanes ? load(from) : loadFirst(from, live);
      }
      store(partial + at + c, sum);
      store(totals + at + c, total);
    }
  }
  void finish(std::int64_t columns) const {
    for (std::int64_t c = 0; c < columns; c += kLanes)
      store(totals + c, load(totals + c) + load(partial + c));
  }
};

}  // namespace

// Here `a` is [k, m] in memory. Only the shape decides how k is cut, and so every bit.
void productOfSlices(CpuBackend& backend, const Gemm& g) {
  constexpr std::int64_t kMostOfSum = 1 << 17;  // floats of a sum that stays in L2 beside a block
  constexpr std::int64_t kShortest = 1024;      // of a slice
  constexpr std::int64_t kMostSlices = 16;      // each has a separate sum,
  constexpr std::int64_t kMostSums = 4 << 20;   // with at most this many floats together
  // More rows are cut into blocks whose part of `a` is copied: in place, each step of k would be on a
  // separate page. A block has so many tiles of rows and panels of columns that its operands and its sum stay
  // in L2.
  constexpr std::int64_t kMostRows = 1024, kTilesOfBlock = 252 / kTileRows, kPanelsOfBlock = 256 / kPanel;
  // On tiles, sixteen rows some power of two apart would share a set of the cache.
  const std::int64_t width = roundUp(g.n, kLanes) + (kHasTiles ? kLanes : 0);
  const std::int64_t most = larger(1, smaller(kMostSlices, kMostSums / (g.m * width)));
  const std::int64_t length = roundUp(larger(kShortest, (g.k + most - 1) / most), kBlock);
  const std::int64_t slices = larger(1, (g.k + length - 1) / length);
  const bool alone = g.m * g.n * g.k < kSmallWork;
  const std::int64_t panels = panelsOf(g.n);
  const std::int64_t fitting = larger(1, kMostOfSum / (g.m * kPanel));
  const std::int64_t tasks = alone ? 1 : 3 * backend.team().size();
  const bool blocked = !alone && g.live.rows == nullptr && g.m > kMostRows;
  const std::int64_t across =
      blocked ? (panels + kPanelsOfBlock - 1) / kPanelsOfBlock
              : smaller(panels, larger((panels + fitting - 1) / fitting, kHasTiles ? 1 : tasks / slices));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;
  // If slices and columns leave workers idle, m is cut too; on tiles m alone, because a copy of `a` is
  // transposed.
  const std::int64_t tiles = (g.m + kTileRows - 1) / kTileRows;
  const std::int64_t pieces = larger(blocked ? (tiles + kTilesOfBlock - 1) / kTilesOfBlock : 1,
                                     smaller(tiles, tasks / (slices * across)));
  const std::int64_t piece = (tiles + pieces - 1) / pieces * kTileRows;
  const std::int64_t down = (g.m + piece - 1) / piece;

  // The sums of one slice are the result, unless something is added to them.
  const bool direct = slices == 1 && !g.accumulate && g.bias == nullptr && g.n % kLanes == 0;
  const std::int64_t sumRows = direct ? 0 : g.m, stride = direct ? g.stride : width;
  const std::int64_t perSlice = (sumRows + 2) * width;  // the last two rows: the sums of b's columns
  Scratch<float> sums(backend, slices * perSlice);
  // Operands are read in place if they are plain matrices of whole vectors: a copy costs more than it gains.
  // Rows that are not adjacent are also copied.
  const bool scattered = g.live.rows != nullptr;
  const bool copiesA = kTermDepth > 1 || g.a.rows != nullptr || blocked;
  const bool copiesB = kTermDepth > 1 || g.b.rows != nullptr || g.n % kLanes != 0;
  const std::int64_t copiedStride = roundUp(piece, kLanes), copiedA = kPairs * copiedStride;
  const std::int64_t copied = copiesA || copiesB || scattered ? copiedA + kPairs * kPanel : 0;
  Scratch<Term> copies(backend, copied * backend.team().size());
  Scratch<Term> packed(backend, g.b.transposed ? panelTerms(g.n, g.k) : 0);
  if (g.b.transposed) packPanels(backend, g.b, g.n, g.k, packed, alone);
  auto task = [&](std::int64_t t, int worker) {
    const std::int64_t row = t % down * piece;
    const std::int64_t column = t / down % across * columns;
    if (column >= g.n) return;
    const std::int64_t slice = t / (down * across);
    const std::int64_t live = smaller(columns, g.n - column);
    const std::int64_t rows = smaller(piece, g.m - row);
    float* const sum = (direct ? g.c : sums + slice * perSlice) + row * stride + column;
    const ColumnSums columnSums{sums + slice * perSlice + (sumRows + 1) * width + column,
                                sums + slice * perSlice + sumRows * width + column};
    const bool addsColumns = g.columnSums != nullptr && row == 0;
    std::int64_t before = slice * length;
    Term* const copyOfA = copies + worker * copied;
    Term* const copyOfB = copyOfA + copiedA;
    Sweep sweep{};
    sweep.aRow = kHasTiles ? kPairs : 1;
    sweep.cRow = sweep.startRow = stride;
    sweep.rows = rows;
    if (addsColumns) {
      clearNumbers(columnSums.partial, roundUp(live, kLanes));
      clearNumbers(columnSums.totals, roundUp(live, kLanes));
    }
    const Entries ks = entriesOf(g.live, slice * length, smaller(g.k, (slice + 1) * length));
    for (std::int64_t i = ks.begin; i == ks.begin || i < ks.end; i += kBlock) {
      const std::int64_t depth = larger(0, smaller(kBlock, ks.end - i));
      const bool inRow = depth == 0 || adjacent(g.live, i, depth);
      const std::int64_t k = depth == 0 ? 0 : g.live.rows == nullptr ? i : g.live.rows[i];
      const std::int32_t* const list = inRow ? nullptr : g.live.rows + i;
      sweep.depth = termsIn(depth);
      const bool copyA = copiesA || !inRow, copyB = copiesB || !inRow;
      sweep.aDepth = kHasTiles ? 1 : copyA ? copiedStride : g.a.stride;
      sweep.a = copyA ? copyOfA : inPlace(g.a.data + k * g.a.stride + row);
#if defined(PACKED_RNN_TILES)
      copyTermsAcross(g.a, list, k, depth, row, rows, copyOfA, sweep.aRow);
#else
      if (copyA) copyTerms(g.a, list, k, depth, row, rows, copyOfA, sweep.aDepth);
#endif
      sweep.bDepth = g.b.transposed || copyB ? kPanel : g.b.stride;
      Ahead ahead;
      if (inRow) {
        const std::int64_t after = k + kBlock;
        const std::int64_t count = smaller(kBlock, larger(0, ks.end - i - kBlock));
        if (!blocked) ahead.add(g.a.data + after * g.a.stride, count * g.a.stride);
        if (!g.b.transposed && across == 1) ahead.add(g.b.data + after * g.b.stride, count * g.b.stride);
        sweep.columns = live;
        ahead.spread(sweep.calls());
      }
      for (std::int64_t j = 0; j < live; j += kPanel) {
        sweep.columns = smaller(kPanel, roundUp(live, kLanes) - j);
        const std::int64_t own = smaller(kPanel, live - j);
        if (addsColumns) columnSums.add(g.b, list, k, depth, before, column + j, own, j);
        if (g.b.transposed) {
          sweep.b = packed + (column + j) * termsIn(g.k) + k / kTermDepth * kPanel;
        } else if (copyB) {
          sweep.b = copyOfB;
          copyTerms(g.b, list, k, depth, column + j, own, copyOfB, kPanel);
        } else {
          sweep.b = inPlace(g.b.data + k * g.b.stride + column + j);
        }
        sweep.c = sum + j;
        sweep.start = i == ks.begin ? nullptr : sweep.c;
        sweep.run(ahead);
      }
      if (depth > 0) before = list == nullptr ? k + depth - 1 : list[depth - 1];
    }
    if (addsColumns) columnSums.finish(roundUp(live, kLanes));
  };
  parallel(backend, slices * across * down, task);

  // to[j] = start[j] + the sums of row i over all slices
  const auto add = [&](std::int64_t i, const float* start, float* to) {
    for (std::int64_t j = 0; j < g.n; j += kLanes) {
      const int live = static_cast<int>(smaller(kLanes, g.n - j));
      V total = load(sums + i * width + j);
      for (std::int64_t s = 1; s < slices; s++) total += load(sums + s * perSlice + i * width + j);
      if (start != nullptr) total = (live == kLanes ? load(start + j) : loadFirst(start + j, live)) + total;
      live == kLanes ? store(to + j, total) : storeFirst(to + j, total, live);
    }
  };
  auto row = [&](std::int64_t i, int) {
    float* const c = g.c + i * g.stride;
    add(i, g.accumulate ? c : g.bias, c);
  };
  if (direct) {
    // Nothing to add.
  } else if (slices * g.m * g.n < kSmallWork) {
    for (std::int64_t i = 0; i < g.m; i++) row(i, 0);
  } else {
    parallel(backend, g.m, row);
  }
  if (g.columnSums != nullptr) add(sumRows, nullptr, g.columnSums);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
