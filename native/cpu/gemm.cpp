// Matrix products: blocks of c as tasks, panels of a and b packed for each block, a register tile inside.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr int kRows = kTileRows;
constexpr int kColumns = kTileVectors * kLanes;
constexpr std::int64_t kDepth = 256;         // k of one block: a panel of b stays in L1, the block of a in L2
constexpr std::int64_t kBlockRows = 240;     // m of a task, a multiple of kRows
constexpr std::int64_t kBlockColumns = 256;  // n of a task, a multiple of kColumns

// Panels of `width` indices of the free dimension, k by k: packed[panel][k][width], zeros past the edge.
template <int width>
void pack(const Operand& x, bool freeIsRow, std::int64_t first, std::int64_t count, std::int64_t k0,
          std::int64_t depth, float* packed) {
  for (std::int64_t panel = 0; panel < count; panel += width, packed += depth * width) {
    const std::int64_t live = smaller(width, count - panel);
    if (freeIsRow) {
      for (std::int64_t i = 0; i < width; i++) {
        const std::int64_t r = first + panel + i;
        const std::int64_t row = i >= live ? -1 : (x.rows != nullptr ? x.rows[r] : r);
        const float* from = row < 0 ? nullptr : x.data + row * x.stride + k0;
        for (std::int64_t k = 0; k < depth; k++) packed[k * width + i] = from == nullptr ? 0.0f : from[k];
      }
    } else {
      for (std::int64_t k = 0; k < depth; k++) {
        const std::int64_t row = x.rows != nullptr ? x.rows[k0 + k] : k0 + k;
        const float* from = x.data + row * x.stride + first + panel;
        float* to = packed + k * width;
        if (row >= 0 && live == width) {
          for (int i = 0; i < width; i++) to[i] = from[i];
        } else {
          for (int i = 0; i < width; i++) to[i] = row >= 0 && i < live ? from[i] : 0.0f;
        }
      }
    }
  }
}

// sums[kRows][kColumns] = panel a · panel b. Not inlined: inside a larger function GCC spills the sums.
__attribute__((noinline)) void tile(const float* a, const float* b, std::int64_t depth, float* sums) {
  V acc[kRows][kTileVectors] = {};
  for (std::int64_t k = 0; k < depth; k++, a += kRows, b += kColumns) {
    V w[kTileVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) w[v] = load(b + v * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; r++) {
      const V x = splat(a[r]);
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) acc[r][v] = fma(x, w[v], acc[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) store(sums + r * kColumns + v * kLanes, acc[r][v]);
}

// Adds a tile to c, or starts c with it and the bias.
void flush(const Gemm& g, const float* sums, std::int64_t row, std::int64_t column, bool start) {
  const std::int64_t rows = smaller(kRows, g.m - row);
  const std::int64_t columns = smaller(kColumns, g.n - column);
  for (std::int64_t r = 0; r < rows; r++) {
    float* c = g.c + (row + r) * g.stride + column;
    const float* s = sums + r * kColumns;
    if (!start) {
      for (std::int64_t j = 0; j < columns; j++) c[j] += s[j];
    } else if (g.bias != nullptr) {
      for (std::int64_t j = 0; j < columns; j++) c[j] = g.bias[column + j] + s[j];
    } else {
      for (std::int64_t j = 0; j < columns; j++) c[j] = s[j];
    }
  }
}

void block(const Gemm& g, std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns,
           float* scratch) {
  float* packedA = scratch;
  float* packedB = packedA + kBlockRows * kDepth;
  alignas(64) float sums[kRows * kColumns];
  std::int64_t k0 = 0;
  do {
    const std::int64_t depth = smaller(kDepth, g.k - k0);
    pack<kRows>(g.a, !g.a.transposed, row, rows, k0, depth, packedA);
    pack<kColumns>(g.b, g.b.transposed, column, columns, k0, depth, packedB);
    for (std::int64_t j = 0; j < columns; j += kColumns) {
      for (std::int64_t i = 0; i < rows; i += kRows) {
        tile(packedA + i * depth, packedB + j * depth, depth, sums);
        flush(g, sums, row + i, column + j, k0 == 0 && !g.accumulate);
      }
    }
    k0 += kDepth;
  } while (k0 < g.k);
}

}  // namespace

void gemm(CpuBackend& backend, const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  // Smaller blocks where there would be fewer than three for each worker; no bit depends on them.
  std::int64_t rows = kBlockRows;
  std::int64_t columns = kBlockColumns;
  const std::int64_t wanted = backend.team().size() > 1 ? 3 * backend.team().size() : 1;
  const auto tasks = [&] { return ((g.m + rows - 1) / rows) * ((g.n + columns - 1) / columns); };
  while (tasks() < wanted && (rows > 8 * kRows || columns > 2 * kColumns)) {
    if (smaller(columns, g.n) > smaller(rows, g.m) && columns > 2 * kColumns) {
      columns = roundUp(columns / 2, kColumns);
    } else if (rows > 8 * kRows) {
      rows = roundUp(rows / 2, kRows);
    } else {
      columns = roundUp(columns / 2, kColumns);
    }
  }
  const std::int64_t across = (g.n + columns - 1) / columns;
  const std::int64_t floats = (kBlockRows + kBlockColumns) * kDepth;
  Scratch<float> scratch(backend, floats * backend.team().size());
  auto task = [&](std::int64_t t, int worker) {
    const std::int64_t row = t / across * rows;
    const std::int64_t column = t % across * columns;
    block(g, row, smaller(rows, g.m - row), column, smaller(columns, g.n - column),
          scratch + floats * worker);
  };
  parallel(backend, tasks(), task);
}

void Kernels::matmul(const Matmul& a) {
  gemm(*this,
       {a.m, a.n, a.k, Operand{a.a, a.transposeA ? a.m : a.k, nullptr, a.transposeA},
        Operand{a.b, a.transposeB ? a.k : a.n, nullptr, a.transposeB}, a.c, a.n, a.bias, a.accumulate});
}

}  // namespace packed_rnn::PACKED_RNN_ISA
