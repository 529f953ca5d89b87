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
PACKED_RNN_INLINE void exchange(V* v, std::integer_sequence<int, lane...>) {
  constexpr VI low = {((lane & step) != 0 ? lane - step + kLanes : lane)...};
  constexpr VI high = {((lane & step) != 0 ? lane + kLanes : lane + step)...};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & step) != 0) continue;
    const V a = v[i], b = v[i + step];
    v[i] = __builtin_shuffle(a, b, low);
    v[i + step] = __builtin_shuffle(a, b, high);
  }
}

// to[c][i] = from[i · stride + c], for kLanes rows and columns
void transposeSquare(const float* from, std::int64_t stride, float* to, std::int64_t toStride) {
  constexpr std::make_integer_sequence<int, kLanes> lanes{};
  V v[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) v[i] = load(from + i * stride);
  exchange<1>(v, lanes);
  exchange<2>(v, lanes);
  if constexpr (kLanes > 4) exchange<4>(v, lanes);
  if constexpr (kLanes > 8) exchange<8>(v, lanes);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) store(to + i * toStride, v[i]);
}

// Rows [k0, k0 + depth) of an operand whose memory has k along its rows, and columns [first, first + columns)
// of them: where they lie, or, where that is no plain matrix of whole vectors, a copy with zeros up to one.
struct Block {
  const float* data;
  std::int64_t stride;

  Block(const Operand& x, std::int64_t k0, std::int64_t depth, std::int64_t first, std::int64_t columns,
        bool wholeVectors, float* copy) {
    if (x.rows == nullptr && (!wholeVectors || columns % kLanes == 0)) {
      data = x.data + k0 * x.stride + first;
      stride = x.stride;
      return;
    }
    data = copy;
    stride = roundUp(columns, kLanes);
    for (std::int64_t k = 0; k < depth; k++, copy += stride) {
      const std::int64_t row = x.rows == nullptr ? k0 + k : x.rows[k0 + k];
      const float* const from = x.data + row * x.stride + first;
      std::int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes) store(copy + c, row < 0 ? V{} : load(from + c));
      if (c < columns) {
        const int live = static_cast<int>(columns - c);
        store(copy + c, row < 0 ? V{} : loadFirst(from + c, live));
      }
    }
  }
};

// The tiles of c [rows, columns] (+)= a · b, a(k, r) = a[r aRow + k aDepth], b given by panels.
struct Sweep {
  const float* a;
  std::int64_t aRow, aDepth;
  const float* b;
  std::int64_t bDepth, bPanel;  // from k to k + 1, and from a panel to the next
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
      for (std::int64_t i = 0; i < rows; i += kTileRows) {
        const int live = static_cast<int>(smaller(kTileRows, rows - i));
        TileOperands t{a + i * aRow,
                       aRow,
                       aDepth,
                       b + j / kPanel * bPanel,
                       bDepth,
                       depth,
                       start == nullptr ? nullptr : start + i * startRow + j,
                       startRow,
                       c + i * cRow + j,
                       cRow};
        if (width % kLanes == 0) {
          tileOf(live, static_cast<int>(width / kLanes), t, ahead);
        } else {
          ragged(t, live, width, ahead);
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
      for (int r = 0; r < live; r++) {
        for (std::int64_t i = 0; i < width; i++) edge[r * kPanel + i] = t.start[r * t.startRow + i];
      }
      t.start = edge;
    }
    t.startRow = t.cRow = kPanel;
    t.c = edge;
    tileOf(live, static_cast<int>((width + kLanes - 1) / kLanes), t, ahead);
    for (int r = 0; r < live; r++) {
      for (std::int64_t i = 0; i < width; i++) c[r * cRow + i] = edge[r * kPanel + i];
    }
  }
};

// b as panels: [panel][k][kPanel], the last one as wide, zeros past the edge.
void packPanel(const Gemm& g, std::int64_t panel, float* to) {
  const std::int64_t first = panel * kPanel;
  const std::int64_t live = smaller(kPanel, g.n - first);
  if (!g.b.transposed) {
    for (std::int64_t k = 0; k < g.k; k++, to += kPanel) {
      const float* const from = g.b.data + k * g.b.stride + first;
      for (std::int64_t i = 0; i < kPanel; i++) to[i] = i < live ? from[i] : 0.0f;
    }
    return;
  }
  for (std::int64_t i = 0; i < kPanel; i += kLanes) {
    const float* const from = g.b.data + (first + i) * g.b.stride;
    std::int64_t k = 0;
    for (; i + kLanes <= live && k + kLanes <= g.k; k += kLanes)
      transposeSquare(from + k, g.b.stride, to + k * kPanel + i, kPanel);
    for (; k < g.k; k++) {
      for (std::int64_t lane = 0; lane < kLanes; lane++)
        to[k * kPanel + i + lane] = i + lane < live ? from[lane * g.b.stride + k] : 0.0f;
    }
  }
}
void packPanels(CpuBackend& backend, const Gemm& g, float* packed, bool alone) {
  auto task = [&](std::int64_t p, int) { packPanel(g, p, packed + p * g.k * kPanel); };
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
  const bool inPlace = !g.b.transposed && g.n % kLanes == 0 && g.m <= 4 * kTileRows;
  Scratch<float> packed(backend, inPlace ? 0 : panels * g.k * kPanel);
  if (!inPlace) packPanels(backend, g, packed, alone);

  std::int64_t rows = alone ? g.m : kBlockRows;
  while (rows > 4 * kTileRows && g.m < 4 * workers * rows) rows /= 2;
  const std::int64_t down = (g.m + rows - 1) / rows;
  const std::int64_t across = alone ? 1 : larger(1, smaller(panels, 2 * workers / down));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;
  auto task = [&](std::int64_t t, int) {
    const std::int64_t row = t / across * rows;
    const std::int64_t column = t % across * columns;
    if (column >= g.n) return;
    Sweep sweep{};
    sweep.aRow = g.a.stride;
    sweep.aDepth = 1;
    sweep.bDepth = inPlace ? g.b.stride : kPanel;
    sweep.bPanel = inPlace ? kPanel : g.k * kPanel;
    sweep.c = g.c + row * g.stride + column;
    sweep.cRow = g.stride;
    sweep.rows = smaller(rows, g.m - row);
    sweep.columns = smaller(columns, g.n - column);
    const float* const b = inPlace ? g.b.data + column : packed + column * g.k;
    for (std::int64_t k = 0; k == 0 || k < g.k; k += kDepth) {
      sweep.a = g.a.data + row * g.a.stride + k;
      sweep.b = b + k * sweep.bDepth;
      sweep.depth = smaller(kDepth, g.k - k);
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
    }
  };
  parallel(backend, down * across, task);
}

// to[c] += Σₖ b(k)[c], k < depth
void addColumns(const float* b, std::int64_t stride, std::int64_t depth, std::int64_t columns, float* to) {
  for (std::int64_t j = 0; j < columns; j += kLanes) {
    V total{};
    for (std::int64_t k = 0; k < depth; k++) total += load(b + k * stride + j);
    store(to + j, load(to + j) + total);
  }
}

// a is [k, m] in memory. How k is cut depends on the shape alone, and so does every bit.
void productOfSlices(CpuBackend& backend, const Gemm& g) {
  constexpr std::int64_t kDepth = 192;         // of a block: so much of both operands stays in L2
  constexpr std::int64_t kShortest = 1024;     // of a slice
  constexpr std::int64_t kMostSlices = 16;     // each has a sum of its own,
  constexpr std::int64_t kMostSums = 4 << 20;  // of so many floats together
  const std::int64_t width = roundUp(g.n, kLanes);
  const std::int64_t most = larger(1, smaller(kMostSlices, kMostSums / (g.m * width)));
  const std::int64_t length = roundUp(larger(kShortest, (g.k + most - 1) / most), kDepth);
  const std::int64_t slices = larger(1, (g.k + length - 1) / length);
  const bool alone = g.m * g.n * g.k < kSmallWork;
  const std::int64_t panels = (g.n + kPanel - 1) / kPanel;
  const std::int64_t across = alone ? 1 : larger(1, smaller(panels, 3 * backend.team().size() / slices));
  const std::int64_t columns = (panels + across - 1) / across * kPanel;

  const std::int64_t perSlice = (g.m + 1) * width;  // the last row: the sums of b's columns
  Scratch<float> sums(backend, slices * perSlice);
  const std::int64_t copiedA = kDepth * roundUp(g.m, kLanes);
  const std::int64_t copied = copiedA + kDepth * columns;
  Scratch<float> copies(backend, copied * backend.team().size());
  Scratch<float> packed(backend, g.b.transposed ? panels * g.k * kPanel : 0);
  if (g.b.transposed) packPanels(backend, g, packed, alone);
  auto task = [&](std::int64_t t, int worker) {
    const std::int64_t column = t % across * columns;
    if (column >= g.n) return;
    const std::int64_t live = smaller(columns, g.n - column);
    const std::int64_t first = t / across * length;
    const std::int64_t end = smaller(g.k, first + length);
    float* const sum = sums + t / across * perSlice + column;
    float* const totals = sum + g.m * width;
    Sweep sweep{};
    sweep.aRow = 1;
    sweep.c = sum;
    sweep.cRow = sweep.startRow = width;
    sweep.rows = g.m;
    sweep.columns = roundUp(live, kLanes);
    for (std::int64_t i = 0; i < sweep.columns; i++) totals[i] = 0;
    for (std::int64_t k = first; k == first || k < end; k += kDepth) {
      sweep.depth = smaller(kDepth, end - k);
      const Block a(g.a, k, sweep.depth, 0, g.m, false, copies + worker * copied);
      sweep.a = a.data;
      sweep.aDepth = a.stride;
      if (g.b.transposed) {
        sweep.b = packed + column * g.k + k * kPanel;
        sweep.bDepth = kPanel;
        sweep.bPanel = g.k * kPanel;
      } else {
        const Block b(g.b, k, sweep.depth, column, live, true, copies + worker * copied + copiedA);
        sweep.b = b.data;
        sweep.bDepth = b.stride;
        sweep.bPanel = kPanel;
      }
      sweep.start = k == first ? nullptr : sum;
      const std::int64_t after = k + kDepth;
      const std::int64_t count = smaller(kDepth, larger(0, end - after));
      Ahead ahead;
      ahead.add(g.a.data + after * g.a.stride, count * g.a.stride);
      if (!g.b.transposed && across == 1) ahead.add(g.b.data + after * g.b.stride, count * g.b.stride);
      ahead.spread(sweep.calls());
      sweep.run(ahead);
      if (g.columnSums != nullptr) addColumns(sweep.b, sweep.bDepth, sweep.depth, sweep.columns, totals);
    }
  };
  parallel(backend, slices * across, task);

  auto total = [&](std::int64_t i, std::int64_t j) {
    float value = sums[i * width + j];
    for (std::int64_t s = 1; s < slices; s++) value += sums[s * perSlice + i * width + j];
    return value;
  };
  auto row = [&](std::int64_t i, int) {
    float* const c = g.c + i * g.stride;
    for (std::int64_t j = 0; j < g.n; j++) {
      const float value = total(i, j);
      c[j] = g.accumulate ? c[j] + value : (g.bias == nullptr ? value : g.bias[j] + value);
    }
  };
  if (alone) {
    for (std::int64_t i = 0; i < g.m; i++) row(i, 0);
  } else {
    parallel(backend, g.m, row);
  }
  for (std::int64_t j = 0; g.columnSums != nullptr && j < g.n; j++) g.columnSums[j] = total(g.m, j);
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
