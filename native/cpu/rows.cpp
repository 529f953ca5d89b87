// Rows by index, columns by offset, and sums over rows.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 64;  // rows of a task
// Rows by index lie anywhere, where the CPU does not foresee them: so many rows earlier they are asked for.
constexpr std::int64_t kRowsAhead = 4;

void fetchRow(const float* row, std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; c += 16) prefetch(row + c);
}

void copyRow(const float* from, std::int64_t columns, float* to) {
  std::int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) store(to + c, load(from + c));
  for (; c < columns; c++) to[c] = from[c];
}

void addRow(const float* from, std::int64_t columns, float* to) {
  std::int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) store(to + c, load(to + c) + load(from + c));
  for (; c < columns; c++) to[c] += from[c];
}

}  // namespace

void Kernels::gatherRows(const GatherRows& a) {
  checkRange("index", a.index, a.rows, INT32_MIN, a.sourceRows);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      float* to = a.destination + r * a.columns;
      if (r + kRowsAhead < end && a.index[r + kRowsAhead] >= 0)
        fetchRow(a.source + a.index[r + kRowsAhead] * a.columns, a.columns);
      if (a.index[r] >= 0) {
        copyRow(a.source + a.index[r] * a.columns, a.columns, to);
      } else {
        for (std::int64_t c = 0; c < a.columns; c++) to[c] = a.fill;
      }
    }
  };
  parallelChunks(*this, a.rows, kChunk, body);
}

void Kernels::sumRows(const SumRows& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    const std::int32_t* place = a.order + a.starts[begin];
    const std::int32_t* const last = a.order + a.starts[end];
    const auto next = [&] {
      if (last - place > kRowsAhead) fetchRow(a.source + place[kRowsAhead] * a.columns, a.columns);
      return a.source + *place++ * a.columns;
    };
    for (std::int64_t u = begin; u < end; u++) {
      float* to = a.destination + u * a.columns;
      const std::int32_t count = a.starts[u + 1] - a.starts[u];
      if (count > 0) {
        copyRow(next(), a.columns, to);
      } else {
        for (std::int64_t c = 0; c < a.columns; c++) to[c] = 0;
      }
      for (std::int32_t i = 1; i < count; i++) addRow(next(), a.columns, to);
    }
  };
  parallelChunks(*this, a.rows, kChunk, body);
}

void Kernels::addRows(const AddRows& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      if (a.index[r] < 0) continue;
      addRow(a.source + r * a.columns, a.columns, a.destination + a.index[r] * a.columns);
    }
  };
  parallelChunks(*this, a.rows, kChunk, body);
}

// A strip of columns a task; partial sums of 256 rows keep the rounding error of long sums down.
void sumColumns(CpuBackend& backend, const float* source, std::int64_t rows, std::int64_t columns,
                std::int64_t stride, float* sums) {
  constexpr std::int64_t kPartial = 256;
  auto body = [&](std::int64_t strip, int) {
    const std::int64_t begin = strip * kLanes;
    const int live = static_cast<int>(smaller(kLanes, columns - begin));
    V total = V{};
    for (std::int64_t r0 = 0; r0 < rows; r0 += kPartial) {
      V partial = V{};
      for (std::int64_t r = r0; r < smaller(rows, r0 + kPartial); r++) {
        const float* p = source + r * stride + begin;
        partial += live == kLanes ? load(p) : loadFirst(p, live);
      }
      total += partial;
    }
    for (int i = 0; i < live; i++) sums[begin + i] = total[i];
  };
  parallel(backend, (columns + kLanes - 1) / kLanes, body);
}

void Kernels::sumColumns(const SumColumns& a) {
  PACKED_RNN_ISA::sumColumns(*this, a.source, a.rows, a.columns, a.columns, a.sums);
}

void Kernels::copyColumns(const CopyColumns& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      copyRow(a.source + r * a.sourceStride + a.sourceOffset, a.columns,
              a.destination + r * a.destinationStride + a.destinationOffset);
    }
  };
  parallelChunks(*this, a.rows, kChunk, body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
