// Rows by index, and sums over rows.
#include "cpu/pack.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kNumbers = 16384;  // numbers of a task; a single thread does less work than this
std::int64_t rowsOfTask(std::int64_t columns) { return larger(1, kNumbers / larger(1, columns)); }
// Rows selected by an index may be anywhere, so the CPU does not predict them. They are prefetched this many
// rows ahead.
constexpr std::int64_t kRowsAhead = 4;

void fetchRow(const float* row, std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; c += 16) prefetch(row + c);
}

void addRow(const float* from, std::int64_t columns, float* to) {
  std::int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) store(to + c, load(to + c) + load(from + c));
  for (; c < columns; c++) to[c] += from[c];
}

}  // namespace

template <>
void run(CpuBackend& kernels, const GatherRows& a) {
  CpuBackend::checkRange("index", a.index, a.rows, INT32_MIN, a.sourceRows);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      float* to = a.destination + r * a.columns;
      if (r + kRowsAhead < end && a.index[r + kRowsAhead] >= 0)
        fetchRow(a.source + a.index[r + kRowsAhead] * a.columns, a.columns);
      if (a.index[r] >= 0) {
        copyNumbers(a.source + a.index[r] * a.columns, to, a.columns);
      } else {
        for (std::int64_t c = 0; c < a.columns; c++) to[c] = a.fill;
      }
    }
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), body);
}

template <>
void run(CpuBackend& kernels, const SumRows& a) {
  PACKED_RNN_ISA::sumRows(kernels, a, nullptr);
}

// Occurrences are added in blocks of kBlock, then the sums of the blocks are added. So the most common word
// is not a longer task than any other, and its sum has a smaller rounding error.
void sumRows(CpuBackend& backend, const SumRows& a, const std::uint8_t* live) {
  constexpr std::int64_t kBlock = 64;
  const std::int64_t count = a.rows == 0 ? 0 : a.starts[a.rows];
  const std::int64_t ofTask = larger(kBlock, rowsOfTask(a.columns));  // occurrences
  // The first block of a row is added up in its result. Each other block is added up here, in the slot of the
  // 64 occurrences in which it begins. No two blocks begin in the same slot.
  Scratch<float> sums(backend, (count / kBlock + 1) * a.columns);
  const auto slotOf = [&](std::int64_t i) { return sums + i / kBlock * a.columns; };
  const auto add = [&](std::int64_t first, std::int64_t end, float* to) {
    clearNumbers(to, a.columns);
    for (std::int64_t i = first; i < end; i++) {
      if (i + kRowsAhead < count) fetchRow(a.source + a.order[i + kRowsAhead] * a.columns, a.columns);
      if (live == nullptr || live[a.order[i]] != 0) addRow(a.source + a.order[i] * a.columns, a.columns, to);
    }
  };
  // The blocks that begin at occurrences [t ofTask, (t + 1) ofTask).
  auto blocks = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t u = 0;  // the first row that ends after `begin`
    for (std::int64_t after = a.rows; u < after;) {
      const std::int64_t middle = (u + after) / 2;
      a.starts[middle + 1] > begin ? after = middle : u = middle + 1;
    }
    for (; u < a.rows && a.starts[u] < end; u++) {
      const std::int64_t first = a.starts[u], last = a.starts[u + 1];
      const std::int64_t skipped = larger(0, (begin - first + kBlock - 1) / kBlock);
      for (std::int64_t i = first + skipped * kBlock; i < smaller(last, end); i += kBlock) {
        add(i, smaller(last, i + kBlock), i == first ? a.destination + u * a.columns : slotOf(i));
      }
    }
  };
  parallelChunks(backend, count, ofTask, blocks);
  auto finish = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t u = begin; u < end; u++) {
      float* const to = a.destination + u * a.columns;
      if (a.starts[u] == a.starts[u + 1]) clearNumbers(to, a.columns);
      for (std::int64_t i = a.starts[u] + kBlock; i < a.starts[u + 1]; i += kBlock)
        addRow(slotOf(i), a.columns, to);
    }
  };
  parallelChunks(backend, a.rows, kNumbers / kBlock, finish);
}

template <>
void run(CpuBackend& kernels, const AddRows& a) {
  CpuBackend::checkRange("index", a.index, a.rows, INT32_MIN, a.destinationRows);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      if (a.index[r] < 0) continue;
      addRow(a.source + r * a.columns, a.columns, a.destination + a.index[r] * a.columns);
    }
  };
  parallelChunks(kernels, a.rows, rowsOfTask(a.columns), body);
}

// One task for each strip of columns. Partial sums of 256 rows reduce the rounding error of long sums.
void sumColumns(CpuBackend& backend, const float* source, const Live& live, std::int64_t rows,
                std::int64_t columns, std::int64_t stride, float* sums) {
  constexpr std::int64_t kPartial = 256;
  auto body = [&](std::int64_t strip, int) {
    const std::int64_t begin = strip * kLanes;
    const int lanes = static_cast<int>(smaller(kLanes, columns - begin));
    V total = V{};
    std::int64_t i = 0;
    for (std::int64_t r0 = 0; r0 < rows; r0 += kPartial) {
      V partial = V{};
      const std::int64_t end = smaller(rows, r0 + kPartial);
      for (; i < (live.rows == nullptr ? end : live.count); i++) {
        const std::int64_t r = live.rows == nullptr ? i : live.rows[i];
        if (r >= end) break;
        const float* p = source + r * stride + begin;
        partial += lanes == kLanes ? load(p) : loadFirst(p, lanes);
      }
      total += partial;
    }
    for (int lane = 0; lane < lanes; lane++) sums[begin + lane] = total[lane];
  };
  parallel(backend, (columns + kLanes - 1) / kLanes, body);
}

template <>
void run(CpuBackend& kernels, const SumColumns& a) {
  PACKED_RNN_ISA::sumColumns(kernels, a.source, kAllLive, a.rows, a.columns, a.columns, a.sums);
}

template <>
void run(CpuBackend& kernels, const TakeAlong& a) {
  CpuBackend::checkRange("index", a.index, a.indices(), 0, a.n);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t++) {
      const std::int64_t o = t / a.count, j = t % a.count;
      const float* const from = a.x + o * a.n * a.inner;
      float* const to = a.y + t * a.inner;
      if (a.each) {
        for (std::int64_t i = 0; i < a.inner; i++) to[i] = from[a.index[t * a.inner + i] * a.inner + i];
      } else {
        copyNumbers(from + a.index[j] * a.inner, to, a.inner);
      }
    }
  };
  parallelChunks(kernels, a.outer * a.count, rowsOfTask(a.inner), body);
}

// One task for each strip of columns, so that each number has one order of additions.
template <>
void run(CpuBackend& kernels, const AddAlong& a) {
  CpuBackend::checkRange("index", a.index, a.indices(), 0, a.n);
  constexpr std::int64_t kStrip = 64;
  const std::int64_t strips = (a.inner + kStrip - 1) / kStrip;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t++) {
      const std::int64_t o = t / strips, first = t % strips * kStrip;
      const std::int64_t last = smaller(a.inner, first + kStrip);
      float* const to = a.y + o * a.n * a.inner;
      for (std::int64_t j = 0; j < a.count; j++) {
        const std::int64_t row = (o * a.count + j) * a.inner;
        for (std::int64_t i = first; i < last; i++)
          to[(a.each ? a.index[row + i] : a.index[j]) * a.inner + i] += a.x[row + i];
      }
    }
  };
  parallelChunks(kernels, a.outer * strips, larger(1, kNumbers / larger(1, a.count * kStrip)), body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
