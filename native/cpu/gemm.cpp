// Matrix products, in two ways. Where a row of `a` is a row of the sum, the rows are tasks, and every element
// is one chain of multiply-adds from its start. Where k runs along the rows of both operands, and is long,
// fixed slices of it are tasks, each with a sum of its own; these are added up in order.
#include "cpu/pack.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kSmallWork = 1 << 18;  // multiply-adds, which one thread does before others wake

// The tiles of c [rows, columns] (+)= a · b, a(k, r) = a[r aRow + k aDepth], b given by panels, all in terms.
struct Sweep {
  const Term* a;
  std::int64_t aRow, aDepth;
  const Term* b;
  std::int64_t bDepth, bPanel;  // from k to k + 1, and from a panel to the next
  const Term* edge;             // the last panel, packed, where it is not among those; or null
  std::int64_t depth;
  const float* start;  // see TileOperands
  std::int64_t startRow;
  float* c;
  std::int64_t cRow;
  std::int64_t rows, columns;

  // How often it calls Ahead::step.
  std::int64_t calls() const {
    return ((rows + kTileRows - 1) / kTileRows) * ((columns + kPanel - 1) / kPanel) *
           ((depth + kAheadDepth - 1) / kAheadDepth);
  }

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
  // Columns that are no whole vectors go by way of a copy.
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
std::int64_t firstAtLeast(const Live& live, std::int64_t row) {
  std::int64_t low = 0;
  for (std::int64_t high = live.count; low < high;) {
    const std::int64_t middle = (low + high) / 2;
    live.rows[middle] < row ? low = middle + 1 : high = middle;
  }
  return low;
}
Entries entriesOf(const Live& live, std::int64_t first, std::int64_t end) {
  if (live.rows == nullptr) return {first, end};
  return {firstAtLeast(live, first), firstAtLeast(live, end)};
}
// Whether entries [i, i + count) are rows that follow each other.
bool adjacent(const Live& live, std::int64_t i, std::int64_t count) {
  return live.rows == nullptr || live.rows[i + count - 1] - live.rows[i] == count - 1;
}

// a is [m, k]. Blocks of rows, and where those are few also of columns, are tasks.
class ProductOfRows {
 public:
  ProductOfRows(CpuBackend& backend, const Gemm& g)
      : g(g),
        backend(backend),
        alone(g.m * g.n * g.k < kSmallWork),
        workers(alone ? 1 : backend.team().size()),
        panels(panelsOf(g.n)),
        terms(termsIn(g.k)),
        // For so few rows b is read where it lies, but for a last panel of no whole vectors.
        unpacked(kTermDepth == 1 && g.panels == nullptr && !g.b.transposed && g.b.rows == nullptr &&
                 g.m <= 4 * kTileRows),
        edge(unpacked && g.n % kLanes != 0) {
    if (alone) rows = g.m;
    // So few rows are one block where there are columns for everybody: then each worker reads its part of b
    // alone.
    if (g.m <= kBlockRows && panels >= 2 * workers) rows = g.m;
    while (rows > 4 * kTileRows && rows != g.m && g.m < 4 * workers * rows) rows /= 2;
    down = (g.m + rows - 1) / rows;
    const std::int64_t across = alone ? 1 : larger(1, smaller(panels, 2 * workers / down));
    columns = (panels + across - 1) / across * kPanel;
  }

  void run() {
    const bool packs = !unpacked && g.panels == nullptr;
    Scratch<Term> memory(backend, packs ? panelTerms(g.n, g.k) : edge ? terms * kPanel : 0);
    if (packs) packPanels(backend, g.b, g.n, g.k, memory, alone);
    if (edge) packPanel(g.b, g.n, g.k, panels - 1, memory);
    packed = g.panels != nullptr ? g.panels : memory;
    const std::int64_t copied = kTermDepth == 1 ? 0 : rows * termsIn(smaller(kDepth, g.k));
    Scratch<Term> copies(backend, copied * workers);
    // Live rows that do not follow each other are gathered, and their results scattered.
    const bool gathers = g.live.rows != nullptr;
    Scratch<float> gathered(backend, gathers ? workers * rows * g.k : 0);
    Scratch<float> results(backend, gathers ? workers * rows * columns : 0);
    const std::int64_t across = (g.n + columns - 1) / columns;
    auto task = [&](std::int64_t t, int worker) {
      const std::int64_t row = t / across * rows, column = t % across * columns;
      block(row, smaller(rows, g.m - row), column, smaller(columns, g.n - column), copies + worker * copied,
            gathered + worker * rows * g.k, results + worker * rows * columns);
    };
    parallel(backend, down * across, task);
  }

 private:
  static constexpr std::int64_t kDepth =
      512;  // of a panel that stays in L2: longer sums are taken up from c again
  static constexpr std::int64_t kBlockRows = 16 * kTileRows;

  // Rows [row, row + count) and columns [column, column + width) of the result.
  void block(std::int64_t row, std::int64_t count, std::int64_t column, std::int64_t width, Term* copies,
             float* gathered, float* results) const {
    const Entries live = entriesOf(g.live, row, row + count);
    const std::int64_t lives = live.end - live.begin;
    if (lives < count && !g.accumulate) {
      for (std::int64_t r = row; r < row + count; r++) clearNumbers(g.c + r * g.stride + column, width);
    }
    if (lives == 0) return;
    float* const c = g.c + column;
    if (adjacent(g.live, live.begin, lives)) {
      const std::int64_t first = g.live.rows == nullptr ? row : g.live.rows[live.begin];
      return sweep(g.a.data + first * g.a.stride, g.a.stride, lives, column, width, c + first * g.stride,
                   g.stride, copies, row + workers * rows);
    }
    for (std::int64_t i = 0; i < lives; i++) {
      const std::int64_t from = g.live.rows[live.begin + i];
      copyNumbers(g.a.data + from * g.a.stride, gathered + i * g.k, g.k);
      if (g.accumulate) copyNumbers(c + from * g.stride, results + i * width, width);
    }
    sweep(gathered, g.k, lives, column, width, results, width, copies, g.m);
    for (std::int64_t i = 0; i < lives; i++) {
      copyNumbers(results + i * width, c + g.live.rows[live.begin + i] * g.stride, width);
    }
  }

  // c [count, width] (+)= a · the columns of b; `next`: the first row of what is probably this worker's next
  // task.
  void sweep(const float* a, std::int64_t aStride, std::int64_t count, std::int64_t column,
             std::int64_t width, float* c, std::int64_t stride, Term* copies, std::int64_t next) const {
    Sweep s{};
    s.aDepth = 1;
    s.b = unpacked ? inPlace(g.b.data + column) : packed + column * terms;
    s.bDepth = unpacked ? g.b.stride : kPanel;
    s.bPanel = unpacked ? kPanel : terms * kPanel;
    if (edge && column + width == g.n) s.edge = packed;
    s.c = c;
    s.cRow = stride;
    s.rows = count;
    s.columns = width;
    for (std::int64_t k = 0; k == 0 || k < g.k; k += kDepth) {
      const std::int64_t depth = smaller(kDepth, g.k - k);
      const TermRows operand = termRows(a + k, aStride, count, depth, copies);
      s.a = operand.data;
      s.aRow = operand.stride;
      s.depth = termsIn(depth);
      const bool goesOn = k > 0 || g.accumulate;
      s.start = goesOn ? s.c : (g.bias == nullptr ? nullptr : g.bias + column);
      s.startRow = goesOn ? stride : 0;
      Ahead ahead;
      ahead.add(g.a.data + next * g.a.stride,
                k > 0 || next >= g.m ? 0 : smaller(rows, g.m - next) * g.a.stride);
      ahead.spread(s.calls());
      s.run(ahead);
      s.b += s.depth * s.bDepth;
      if (s.edge != nullptr) s.edge += s.depth * kPanel;
    }
  }

  const Gemm& g;
  CpuBackend& backend;
  const bool alone;
  const std::int64_t workers, panels, terms;
  const bool unpacked, edge;
  std::int64_t rows = kBlockRows, down,
               columns;  // a task's rows, how many such there are, and a task's columns
  const Term* packed = nullptr;
};

constexpr std::int64_t kPairs = 192 / kTermDepth;     // terms of a block of k, whose operands stay in L2
constexpr std::int64_t kBlock = kPairs * kTermDepth;  // steps of k

// Sums of columns over k: of each block of k, wherever a list of live rows cuts it, and these added up in
// order.
struct ColumnSums {
  float *partial, *totals;

  // Adds rows k0, k0 + 1, … or ks[0], ks[1], … of `x`, `depth` of them, for columns [first, first + columns)
  // of which the sums begin at `at`; `before`: the row before the first of them, which may have begun the
  // same block.
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

// a is [k, m] in memory. How k is cut depends on the shape alone, and so does every bit.
void productOfSlices(CpuBackend& backend, const Gemm& g) {
  constexpr std::int64_t kMostOfSum = 1 << 17;  // floats of a sum that stays in L2 beside a block
  constexpr std::int64_t kShortest = 1024;      // of a slice
  constexpr std::int64_t kMostSlices = 16;      // each has a sum of its own,
  constexpr std::int64_t kMostSums = 4 << 20;   // of so many floats together
  const std::int64_t width = roundUp(g.n, kLanes);
  const std::int64_t most = larger(1, smaller(kMostSlices, kMostSums / (g.m * width)));
  const std::int64_t length = roundUp(larger(kShortest, (g.k + most - 1) / most), kBlock);
  const std::int64_t slices = larger(1, (g.k + length - 1) / length);
  const bool alone = g.m * g.n * g.k < kSmallWork;
  const std::int64_t panels = panelsOf(g.n);
  const std::int64_t fitting = larger(1, kMostOfSum / (g.m * kPanel));
  const std::int64_t tasks = alone ? 1 : 3 * backend.team().size();
  const std::int64_t across = smaller(panels, larger((panels + fitting - 1) / fitting, tasks / slices));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;
  // What slices and columns leave idle is cut along m.
  const std::int64_t tiles = (g.m + kTileRows - 1) / kTileRows;
  const std::int64_t pieces = larger(1, smaller(tiles, tasks / (slices * across)));
  const std::int64_t piece = (tiles + pieces - 1) / pieces * kTileRows;
  const std::int64_t down = (g.m + piece - 1) / piece;

  const std::int64_t perSlice = (g.m + 2) * width;  // the last two rows: the sums of b's columns
  Scratch<float> sums(backend, slices * perSlice);
  // Operands are read where they lie if they are plain matrices of whole vectors: a copy costs more than it
  // gains. Rows that do not follow each other are copied too.
  const bool scattered = g.live.rows != nullptr;
  const bool copiesA = kTermDepth > 1 || g.a.rows != nullptr;
  const bool copiesB = kTermDepth > 1 || g.b.rows != nullptr || g.n % kLanes != 0;
  const std::int64_t copiedA = kPairs * roundUp(g.m, kLanes);
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
    float* const sum = sums + slice * perSlice + row * width + column;
    const ColumnSums columnSums{sums + slice * perSlice + (g.m + 1) * width + column,
                                sums + slice * perSlice + g.m * width + column};
    const bool addsColumns = g.columnSums != nullptr && row == 0;
    std::int64_t before = slice * length;
    Term* const copyOfA = copies + worker * copied;
    Term* const copyOfB = copyOfA + copiedA;
    Sweep sweep{};
    sweep.aRow = 1;
    sweep.cRow = sweep.startRow = width;
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
      sweep.aDepth = copyA ? roundUp(g.m, kLanes) : g.a.stride;
      sweep.a = copyA ? copyOfA : inPlace(g.a.data + k * g.a.stride + row);
      if (copyA) copyTerms(g.a, list, k, depth, row, rows, copyOfA, sweep.aDepth);
      sweep.bDepth = g.b.transposed || copyB ? kPanel : g.b.stride;
      Ahead ahead;
      if (inRow) {
        const std::int64_t after = k + kBlock;
        const std::int64_t count = smaller(kBlock, larger(0, ks.end - i - kBlock));
        ahead.add(g.a.data + after * g.a.stride, count * g.a.stride);
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
  if (slices * g.m * g.n < kSmallWork) {
    for (std::int64_t i = 0; i < g.m; i++) row(i, 0);
  } else {
    parallel(backend, g.m, row);
  }
  if (g.columnSums != nullptr) add(g.m, nullptr, g.columnSums);
}

}  // namespace

void gemm(CpuBackend& backend, const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  g.a.transposed ? productOfSlices(backend, g) : ProductOfRows(backend, g).run();
}

namespace {

// b of a product, packed.
class KeptPanels final : public CpuKept {
 public:
  KeptPanels(CpuBackend& backend, const Gemm& g) : terms_(backend, panelTerms(g.n, g.k)) {
    packPanels(backend, g.b, g.n, g.k, terms_, g.n * g.k < kSmallWork);
  }
  const Term* terms() const { return terms_; }

 private:
  Scratch<Term> terms_;
};

}  // namespace

void Kernels::matmul(const Matmul& a) {
  Gemm g{a.m,
         a.n,
         a.k,
         Operand{a.a, a.transposeA ? a.m : a.k, nullptr, a.transposeA},
         Operand{a.b, a.transposeB ? a.k : a.n, nullptr, a.transposeB},
         a.c,
         a.n,
         a.bias,
         a.accumulate,
         nullptr};
  if (a.kept != nullptr && a.m > 0 && a.n > 0) {
    if (*a.kept == nullptr) *a.kept = new KeptPanels(*this, g);
    g.panels = static_cast<const KeptPanels*>(*a.kept)->terms();
  }
  gemm(*this, g);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
