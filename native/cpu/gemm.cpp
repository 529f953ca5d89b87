// Matrix products, in two ways. If a row of `a` is a row of the sum, the rows are tasks, and every element is
// one chain of multiply-adds from its start: this file. If k runs along the rows of both operands:
// slices.cpp.
#include "cpu/sweep.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// The product where `a` is [m, k]. Tasks are blocks of rows, and if there are few of those, also of columns.
class ProductOfRows {
 public:
  ProductOfRows(CpuBackend& backend, const Gemm& g)
      : g(g),
        backend(backend),
        alone(g.m * g.n * g.k < kSmallWork),
        workers(alone ? 1 : backend.team().size()),
        panels(panelsOf(g.n)),
        terms(termsIn(g.k)),
        // For so few rows b is read in place, except a last panel that is not whole vectors.
        unpacked(kTermDepth == 1 && g.panels == nullptr && !g.b.transposed && g.b.rows == nullptr &&
                 g.m <= 4 * kTileRows),
        edge(unpacked && g.n % kLanes != 0) {
    if (alone) rows = g.m;
    // So few rows are one block if there are enough columns for all workers. Each worker then reads only its
    // part of b.
    if (g.m <= kBlockRows && panels >= 2 * workers) rows = g.m;
    while (rows > kFewRows && rows != g.m && g.m < 4 * workers * rows) rows /= 2;
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
    const std::int64_t copied = kTermDepth == 1 ? 0 : rows * termsApart(smaller(kDepth, g.k));
    Scratch<Term> copies(backend, copied * workers);
    // Live rows that are not adjacent are gathered, and their results are scattered.
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
  static constexpr std::int64_t kDepth = 512;  // of a panel that stays in L2; longer sums continue from c
  static constexpr std::int64_t kBlockRows = kHasTiles ? 4 * kTileRows : 16 * kTileRows;
  static constexpr std::int64_t kFewRows = kHasTiles ? kTileRows : 4 * kTileRows;

  // Rows [row, row + count) and columns [column, column + width) of the result.
  void block(std::int64_t row, std::int64_t count, std::int64_t column, std::int64_t width, Term* copies,
             float* gathered, float* results) const {
    const Entries live = entriesOf(g.live, row, row + count);
    const std::int64_t lives = live.end - live.begin;
    std::int64_t next = live.begin;
    for (std::int64_t r = row; lives < count && r < row + count; r++) {
      if (next < live.end && g.live.rows[next] == r) {
        next++;
      } else {
        addNothing(g.c + r * g.stride + column, width);
      }
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

  // The result of a row of zeros: zeros, or with `accumulate` the same numbers, where -0 + 0 is 0.
  void addNothing(float* c, std::int64_t width) const {
    if (!g.accumulate) return clearNumbers(c, width);
    for (; width > 0; c += kLanes, width -= kLanes) {
      const int live = static_cast<int>(smaller(kLanes, width));
      live == kLanes ? store(c, load(c) + V{}) : storeFirst(c, loadFirst(c, live) + V{}, live);
    }
  }

  // c [count, width] (+)= a · the columns of b. `next` is the first row of the task that this worker probably
  // does next.
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
               columns;  // rows of a task, number of such blocks, columns of a task
  const Term* packed = nullptr;
};

}  // namespace

void gemm(CpuBackend& backend, const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  g.a.transposed ? productOfSlices(backend, g) : ProductOfRows(backend, g).run();
}

namespace {

// The packed b of a product.
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

template <>
void run(CpuBackend& kernels, const Matmul& a) {
  Gemm g{a.m,
         a.n,
         a.k,
         Operand{a.a, a.transposeA ? a.m : a.k, nullptr, a.transposeA},
         Operand{a.b, a.transposeB ? a.k : a.n, nullptr, a.transposeB},
         a.c,
         a.n,
         a.bias,
         false,
         nullptr};
  if (a.kept != nullptr && a.m > 0 && a.n > 0) {
    if (*a.kept == nullptr) *a.kept = new KeptPanels(kernels, g);
    g.panels = static_cast<const KeptPanels*>(*a.kept)->terms();
  }
  gemm(kernels, g);
}

namespace {

constexpr std::int64_t kLargeProduct = 1 << 18;  // multiplications from which packing pays

// One small product: each element is one sum in the order of k.
void smallProduct(const BatchMatmul& p, const float* a, const float* b, float* c) {
  const std::int64_t stepRow = p.transposeA ? 1 : p.k, stepK = p.transposeA ? p.m : 1;
  for (std::int64_t i = 0; i < p.m; i++) {
    const float* const row = a + i * stepRow;
    if (p.transposeB) {
      for (std::int64_t j = 0; j < p.n; j++) {
        V sums = V{};
        const float* const column = b + j * p.k;
        for (std::int64_t l = 0; l < p.k; l += kLanes) {
          const int live = static_cast<int>(smaller(kLanes, p.k - l));
          V x{};
          if (stepK == 1) {
            x = live == kLanes ? load(row + l) : loadFirst(row + l, live);
          } else {
            for (int e = 0; e < live; e++) x[e] = row[(l + e) * stepK];
          }
          sums = fma(x, live == kLanes ? load(column + l) : loadFirst(column + l, live), sums);
        }
        c[i * p.n + j] = sumOfLanes(sums);
      }
      continue;
    }
    for (std::int64_t j = 0; j < p.n; j += kLanes) {
      const int live = static_cast<int>(smaller(kLanes, p.n - j));
      V sums = V{};
      for (std::int64_t l = 0; l < p.k; l++) {
        const float* const from = b + l * p.n + j;
        sums = fma(splat(row[l * stepK]), live == kLanes ? load(from) : loadFirst(from, live), sums);
      }
      live == kLanes ? store(c + i * p.n + j, sums) : storeFirst(c + i * p.n + j, sums, live);
    }
  }
}

}  // namespace

template <>
void run(CpuBackend& kernels, const BatchMatmul& p) {
  const std::int64_t nextA = p.sameA ? 0 : p.m * p.k, nextB = p.sameB ? 0 : p.k * p.n;
  if (p.m * p.n * p.k > kLargeProduct) {
    for (std::int64_t i = 0; i < p.batch; i++) {
      gemm(kernels, {p.m, p.n, p.k, Operand{p.a + i * nextA, p.transposeA ? p.m : p.k, nullptr, p.transposeA},
                     Operand{p.b + i * nextB, p.transposeB ? p.k : p.n, nullptr, p.transposeB},
                     p.c + i * p.m * p.n, p.n, nullptr, false, nullptr});
    }
    return;
  }
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i++)
      smallProduct(p, p.a + i * nextA, p.b + i * nextB, p.c + i * p.m * p.n);
  };
  parallelChunks(kernels, p.batch, larger(1, kLargeProduct / larger(1, 4 * p.m * p.n * p.k)), body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
