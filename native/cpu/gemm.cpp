// Matrix products, in two ways. Where a row of `a` is a row of the sum, the rows are tasks, and every element
// is one chain of multiply-adds from its start. Where k runs along the rows of both operands, and is long,
// fixed slices of it are tasks, each with a sum of its own; these are added up in order.
#include <utility>

#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kSmallWork = 1 << 16;  // multiply-adds, which one thread does before others wake

// Exchanges, in each pair of rows i and i + step, the lanes whose number has the bit `step` of the first with
// those that lack it of the second.
template <int step, int... lane>
PACKED_RNN_INLINE void exchange(TermV* v, std::integer_sequence<int, lane...>) {
  constexpr VI low = {((lane & step) != 0 ? lane - step + kLanes : lane)...};
  constexpr VI high = {((lane & step) != 0 ? lane + kLanes : lane + step)...};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & step) != 0) continue;
    const TermV a = v[i], b = v[i + step];
    v[i] = __builtin_shuffle(a, b, low);
    v[i + step] = __builtin_shuffle(a, b, high);
  }
}

// to[t][i] = term t of row i, which lies along k, for kLanes rows and terms; of `rows` rows and `depth`
// numbers where there are fewer, the other lanes being zeros and the other terms not written.
template <bool whole>
void transposeSquare(const float* from, std::int64_t stride, int rows, int depth, Term* to,
                     std::int64_t toStride) {
  constexpr std::make_integer_sequence<int, kLanes> lanes{};
  TermV v[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    v[i] = whole ? termsAlong(from + i * stride) : i < rows ? termsAlong(from + i * stride, depth) : TermV{};
  }
  exchange<1>(v, lanes);
  exchange<2>(v, lanes);
  if constexpr (kLanes > 4) exchange<4>(v, lanes);
  if constexpr (kLanes > 8) exchange<8>(v, lanes);
  const int terms = whole ? kLanes : static_cast<int>(termsIn(depth));
#pragma GCC unroll 16
  for (int t = 0; t < kLanes; t++) {
    if (t < terms) store(to + t * toStride, v[t]);
  }
}

// The terms of rows [k0, k0 + depth) of an operand whose memory has k along its rows, and of columns [first,
// first + columns), with zeros up to whole vectors. From one step of k to the next are `stride` terms.
void copyTerms(const Operand& x, std::int64_t k0, std::int64_t depth, std::int64_t first,
               std::int64_t columns, Term* to, std::int64_t stride) {
  for (std::int64_t k = 0; k < depth; k += kTermDepth, to += stride) {
    const float* from[kTermDepth];
    for (int d = 0; d < kTermDepth; d++) {
      const std::int64_t row = k + d >= depth ? -1 : x.rows == nullptr ? k0 + k + d : x.rows[k0 + k + d];
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

void copyRow(const float* from, float* to, std::int64_t count) {
  for (; count >= kLanes; from += kLanes, to += kLanes, count -= kLanes) store(to, load(from));
  if (count == 0) return;
  const int rest = static_cast<int>(count);
  storeFirst(to, loadFirst(from, rest), rest);
}

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
      for (int r = 0; r < live; r++) copyRow(t.start + r * t.startRow, edge + r * kPanel, width);
      t.start = edge;
    }
    t.startRow = t.cRow = kPanel;
    t.c = edge;
    tileOf(live, static_cast<int>((width + kLanes - 1) / kLanes), t, ahead);
    for (int r = 0; r < live; r++) copyRow(edge + r * kPanel, c + r * cRow, width);
  }
};

// b as panels: [panel][termsIn(k)][kPanel], the last one as wide.
void packPanel(const Gemm& g, std::int64_t panel, Term* to) {
  constexpr std::int64_t kStep = kLanes * kTermDepth;
  const std::int64_t first = panel * kPanel;
  const std::int64_t columns = smaller(kPanel, g.n - first);
  if (!g.b.transposed) return copyTerms(g.b, 0, g.k, first, columns, to, kPanel);
  for (std::int64_t i = 0; i < columns; i += kLanes) {
    const int live = static_cast<int>(smaller(kLanes, columns - i));
    const float* const from = g.b.data + (first + i) * g.b.stride;
    for (std::int64_t k = 0; k < g.k; k += kStep) {
      const int depth = static_cast<int>(smaller(kStep, g.k - k));
      const auto square = live == kLanes && depth == kStep ? transposeSquare<true> : transposeSquare<false>;
      square(from + k, g.b.stride, live, depth, to + k / kTermDepth * kPanel + i, kPanel);
    }
  }
}
void packPanels(CpuBackend& backend, const Gemm& g, Term* packed, bool alone) {
  auto task = [&](std::int64_t p, int) { packPanel(g, p, packed + p * termsIn(g.k) * kPanel); };
  const std::int64_t panels = (g.n + kPanel - 1) / kPanel;
  if (!alone) return parallel(backend, panels, task);
  for (std::int64_t p = 0; p < panels; p++) task(p, 0);
}

// a is [m, k]. Blocks of rows, and where those are few also of columns, are tasks.
void productOfRows(CpuBackend& backend, const Gemm& g) {
  constexpr std::int64_t kDepth = 512;  // of a panel that stays in L2: longer sums are taken up from c again
  constexpr std::int64_t kBlockRows = 16 * kTileRows;
  const bool alone = g.m * g.n * g.k < kSmallWork;
  const std::int64_t workers = alone ? 1 : backend.team().size();
  const std::int64_t panels = (g.n + kPanel - 1) / kPanel;
  const std::int64_t terms = termsIn(g.k);
  // For so few rows b is read where it lies, but for a last panel of no whole vectors.
  const bool unpacked = kTermDepth == 1 && !g.b.transposed && g.m <= 4 * kTileRows;
  const bool edge = unpacked && g.n % kLanes != 0;
  Scratch<Term> packed(backend, unpacked && !edge ? 0 : (edge ? 1 : panels) * terms * kPanel);
  if (!unpacked) packPanels(backend, g, packed, alone);
  if (edge) packPanel(g, panels - 1, packed);

  std::int64_t rows = alone ? g.m : kBlockRows;
  while (!alone && rows > 4 * kTileRows && g.m < 4 * workers * rows) rows /= 2;
  const std::int64_t down = (g.m + rows - 1) / rows;
  const std::int64_t across = alone ? 1 : larger(1, smaller(panels, 2 * workers / down));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;
  const std::int64_t copied = kTermDepth == 1 ? 0 : rows * termsIn(smaller(kDepth, g.k));
  Scratch<Term> copies(backend, copied * workers);
  auto task = [&](std::int64_t t, int worker) {
    const std::int64_t row = t / across * rows;
    const std::int64_t column = t % across * columns;
    if (column >= g.n) return;
    Sweep sweep{};
    sweep.aDepth = 1;
    sweep.b = unpacked ? inPlace(g.b.data + column) : packed + column * terms;
    sweep.bDepth = unpacked ? g.b.stride : kPanel;
    sweep.bPanel = unpacked ? kPanel : terms * kPanel;
    if (edge && column + columns >= g.n) sweep.edge = packed;
    sweep.c = g.c + row * g.stride + column;
    sweep.cRow = g.stride;
    sweep.rows = smaller(rows, g.m - row);
    sweep.columns = smaller(columns, g.n - column);
    for (std::int64_t k = 0; k == 0 || k < g.k; k += kDepth) {
      const std::int64_t depth = smaller(kDepth, g.k - k);
      const TermRows a =
          termRows(g.a.data + row * g.a.stride + k, g.a.stride, sweep.rows, depth, copies + worker * copied);
      sweep.a = a.data;
      sweep.aRow = a.stride;
      sweep.depth = termsIn(depth);
      const bool goesOn = k > 0 || g.accumulate;
      sweep.start = goesOn ? sweep.c : (g.bias == nullptr ? nullptr : g.bias + column);
      sweep.startRow = goesOn ? g.stride : 0;
      // The rows of what is probably this worker's next task.
      const std::int64_t next = row + workers * rows;
      const std::int64_t count = k > 0 || next >= g.m ? 0 : smaller(rows, g.m - next) * g.a.stride;
      Ahead ahead;
      ahead.add(g.a.data + next * g.a.stride, count);
      ahead.spread(sweep.calls());
      sweep.run(ahead);
      sweep.b += sweep.depth * sweep.bDepth;
      if (sweep.edge != nullptr) sweep.edge += sweep.depth * kPanel;
    }
  };
  parallel(backend, down * across, task);
}

// to[c] += Σₖ x(k)[c], k in [k0, k0 + depth), for columns [first, first + columns)
void addColumns(const Operand& x, std::int64_t k0, std::int64_t depth, std::int64_t first,
                std::int64_t columns, float* to) {
  for (std::int64_t c = 0; c < columns; c += kLanes) {
    const int live = static_cast<int>(smaller(kLanes, columns - c));
    V total{};
    for (std::int64_t k = k0; k < k0 + depth; k++) {
      const float* const from = x.data + k * x.stride + first + c;
      total += live == kLanes ? load(from) : loadFirst(from, live);
    }
    store(to + c, load(to + c) + total);
  }
}

// a is [k, m] in memory. How k is cut depends on the shape alone, and so does every bit.
void productOfSlices(CpuBackend& backend, const Gemm& g) {
  constexpr std::int64_t kTerms = 192 / kTermDepth;  // of a block: so much of both operands stays in L2,
  constexpr std::int64_t kMostOfSum = 1 << 17;       // and so many floats of a sum
  constexpr std::int64_t kDepth = kTerms * kTermDepth;
  constexpr std::int64_t kShortest = 1024;     // of a slice
  constexpr std::int64_t kMostSlices = 16;     // each has a sum of its own,
  constexpr std::int64_t kMostSums = 4 << 20;  // of so many floats together
  const std::int64_t width = roundUp(g.n, kLanes);
  const std::int64_t most = larger(1, smaller(kMostSlices, kMostSums / (g.m * width)));
  const std::int64_t length = roundUp(larger(kShortest, (g.k + most - 1) / most), kDepth);
  const std::int64_t slices = larger(1, (g.k + length - 1) / length);
  const bool alone = g.m * g.n * g.k < kSmallWork;
  const std::int64_t panels = (g.n + kPanel - 1) / kPanel;
  const std::int64_t fitting = larger(1, kMostOfSum / (g.m * kPanel));
  const std::int64_t wanted = larger((panels + fitting - 1) / fitting, 3 * backend.team().size() / slices);
  const std::int64_t across = alone ? 1 : larger(1, smaller(panels, wanted));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;

  const std::int64_t perSlice = (g.m + 1) * width;  // the last row: the sums of b's columns
  Scratch<float> sums(backend, slices * perSlice);
  // Operands are read where they lie if they are plain matrices of whole vectors: a copy costs more than it
  // gains.
  const bool copiesA = kTermDepth > 1 || g.a.rows != nullptr;
  const bool copiesB = kTermDepth > 1 || g.b.rows != nullptr || g.n % kLanes != 0;
  const std::int64_t copiedA = kTerms * roundUp(g.m, kLanes);
  const std::int64_t copied = copiedA + kTerms * kPanel;
  Scratch<Term> copies(backend, copied * backend.team().size());
  Scratch<Term> packed(backend, g.b.transposed ? panels * termsIn(g.k) * kPanel : 0);
  if (g.b.transposed) packPanels(backend, g, packed, alone);
  auto task = [&](std::int64_t t, int worker) {
    const std::int64_t column = t % across * columns;
    if (column >= g.n) return;
    const std::int64_t live = smaller(columns, g.n - column);
    const std::int64_t first = t / across * length;
    const std::int64_t end = smaller(g.k, first + length);
    float* const sum = sums + t / across * perSlice + column;
    float* const totals = sum + g.m * width;
    Term* const copyOfA = copies + worker * copied;
    Term* const copyOfB = copyOfA + copiedA;
    Sweep sweep{};
    sweep.aRow = 1;
    sweep.aDepth = copiesA ? roundUp(g.m, kLanes) : g.a.stride;
    sweep.bDepth = g.b.transposed || copiesB ? kPanel : g.b.stride;
    sweep.cRow = sweep.startRow = width;
    sweep.rows = g.m;
    for (std::int64_t i = 0; i < roundUp(live, kLanes); i++) totals[i] = 0;
    for (std::int64_t k = first; k == first || k < end; k += kDepth) {
      const std::int64_t depth = smaller(kDepth, end - k);
      sweep.depth = termsIn(depth);
      sweep.a = copiesA ? copyOfA : inPlace(g.a.data + k * g.a.stride);
      if (copiesA) copyTerms(g.a, k, depth, 0, g.m, copyOfA, sweep.aDepth);
      const std::int64_t after = k + kDepth;
      const std::int64_t count = smaller(kDepth, larger(0, end - after));
      Ahead ahead;
      ahead.add(g.a.data + after * g.a.stride, count * g.a.stride);
      if (!g.b.transposed && across == 1) ahead.add(g.b.data + after * g.b.stride, count * g.b.stride);
      sweep.columns = live;
      ahead.spread(sweep.calls());
      for (std::int64_t j = 0; j < live; j += kPanel) {
        sweep.columns = smaller(kPanel, roundUp(live, kLanes) - j);
        const std::int64_t own = smaller(kPanel, live - j);
        if (g.columnSums != nullptr) addColumns(g.b, k, depth, column + j, own, totals + j);
        if (g.b.transposed) {
          sweep.b = packed + (column + j) * termsIn(g.k) + k / kTermDepth * kPanel;
        } else if (copiesB) {
          sweep.b = copyOfB;
          copyTerms(g.b, k, depth, column + j, own, copyOfB, kPanel);
        } else {
          sweep.b = inPlace(g.b.data + k * g.b.stride + column + j);
        }
        sweep.c = sum + j;
        sweep.start = k == first ? nullptr : sweep.c;
        sweep.run(ahead);
      }
    }
  };
  parallel(backend, slices * across, task);

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
  if (alone) {
    for (std::int64_t i = 0; i < g.m; i++) row(i, 0);
  } else {
    parallel(backend, g.m, row);
  }
  if (g.columnSums != nullptr) add(g.m, nullptr, g.columnSums);
}

}  // namespace

void gemm(CpuBackend& backend, const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  g.a.transposed ? productOfSlices(backend, g) : productOfRows(backend, g);
}

void Kernels::matmul(const Matmul& a) {
  gemm(*this, {a.m, a.n, a.k, Operand{a.a, a.transposeA ? a.m : a.k, nullptr, a.transposeA},
               Operand{a.b, a.transposeB ? a.k : a.n, nullptr, a.transposeB}, a.c, a.n, a.bias, a.accumulate,
               nullptr});
}

}  // namespace packed_rnn::PACKED_RNN_ISA
