#include "cpu/live.h"

#include "cpu/pack.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 1024;     // rows of a task, whole groups of terms
constexpr std::int64_t kNumbers = 16384;  // of a task

// Products of two such numbers, 2²⁴ of them summed, are finite, and so is the sum's product with a third.
constexpr float kLargest = 0x1p40f;

// Whether all numbers are at most kLargest; false for NaN.
bool moderate(CpuBackend& backend, const float* numbers, std::int64_t count) {
  if (numbers == nullptr) return true;
  bool all = true;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    V most{};
    for (std::int64_t i = begin; i < end; i += kLanes) {
      const V x = end - i >= kLanes ? load(numbers + i) : loadFirst(numbers + i, static_cast<int>(end - i));
      most = Simd::max(most, x < 0.0f ? -x : x);
    }
    for (int lane = 0; lane < kLanes; lane++) {
      if (!(most[lane] <= kLargest)) __atomic_store_n(&all, false, __ATOMIC_RELAXED);
    }
  };
  parallelChunks(backend, count, kNumbers, body);
  return all;
}

}  // namespace

std::int64_t Walked::reach(std::int64_t b, std::int64_t d, const float* dOutput) const {
  if (dOutput == nullptr) return 0;
  const std::int64_t state = shape_.projectionSize > 0 ? shape_.projectionSize : shape_.hiddenSize;
  const std::int64_t width = shape_.directions * state;
  const std::int64_t begin = shape_.sequences.offsets[b], end = shape_.sequences.offsets[b + 1];
  // From the end of the walk: with a dense gradient this reads one row.
  std::int64_t left = end - begin;
  for (std::int64_t n = d == 1 ? end - 1 : begin; left > 0; left--, n += d == 1 ? -1 : 1) {
    if (!allZero(dOutput + n * width + d * state, state)) break;
  }
  return left;
}

bool vanishes(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout) {
  const RecurrentShape& shape = a;
  if (shape.cell == Cell::elmanRelu) return false;
  const std::int64_t width = shape.directions * layout.state;
  bool some = a.dOutput == nullptr;
  for (std::int64_t b = 0; !some && b < shape.sequences.count; b++) {
    const std::int64_t begin = shape.sequences.offsets[b], end = shape.sequences.offsets[b + 1];
    if (end - begin < 2) continue;
    some = allZero(a.dOutput + begin * width, layout.state) ||
           (shape.directions == 2 && allZero(a.dOutput + (end - 1) * width + layout.state, layout.state));
  }
  if (!some) return false;
  const std::int64_t gates = shape.cell == Cell::lstm ? 4 : layout.columns.count == 1 ? 1 : 3;
  const std::int64_t states = shape.directions * shape.sequences.count;
  bool all = moderate(backend, a.x, shape.distinctRows * shape.inputSize) &&
             moderate(backend, a.h0, states * layout.state) &&
             moderate(backend, a.c0, states * layout.hidden);
  for (std::int64_t d = 0; d < shape.directions; d++) {
    const RecurrentWeights& weights = a.weights[d];
    all = all && moderate(backend, weights.wIh, gates * layout.hidden * shape.inputSize) &&
          moderate(backend, weights.wHh, gates * layout.hidden * layout.state) &&
          moderate(backend, weights.bIh, gates * layout.hidden) &&
          moderate(backend, weights.bHh, gates * layout.hidden) &&
          moderate(backend, weights.wHr, layout.state * layout.hidden);
  }
  return all;
}

LiveRows::LiveRows(CpuBackend& backend, const Walked* walked, std::int64_t rows, std::int64_t direction)
    : all_(walked == nullptr), flags_(backend, all_ ? 0 : rows), list_(backend, all_ ? 0 : rows) {
  if (all_) return;
  const Sequences& sequences = walked->shape().sequences;
  auto mark = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; b++) {
      const std::int64_t begin = sequences.offsets[b], end = sequences.offsets[b + 1];
      const std::int64_t count = begin == end ? 0 : walked->count(b, direction);
      for (std::int64_t n = begin; n < end; n++) {
        flags_[n] = direction == 1 ? n < begin + count : n >= end - count;
      }
    }
  };
  parallelChunks(backend, sequences.count, kSequencesOfTask, mark);
  list(backend, rows);
}

LiveRows::LiveRows(CpuBackend& backend, const LiveRows& tokens, const RowIndex& index, std::int64_t distinct)
    : all_(tokens.all_ || index.index == nullptr),
      flags_(backend, all_ ? 0 : distinct),
      list_(backend, all_ ? 0 : distinct) {
  if (all_) return;
  auto mark = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t u = first; u < last; u++) {
      std::int32_t i = index.starts[u];
      while (i < index.starts[u + 1] && tokens.flags_[index.order[i]] == 0) i++;
      flags_[u] = i < index.starts[u + 1];
    }
  };
  parallelChunks(backend, distinct, kChunk, mark);
  list(backend, distinct);
}

void LiveRows::list(CpuBackend& backend, std::int64_t rows) {
  // f(row) for the listed rows of a chunk: all rows of a group of terms with a live row.
  const auto each = [&](std::int64_t chunk, auto f) {
    const std::int64_t end = smaller(rows, (chunk + 1) * kChunk);
    for (std::int64_t group = chunk * kChunk; group < end; group += kStepsAtOnce) {
      const std::int64_t after = smaller(rows, group + kStepsAtOnce);
      bool any = false;
      for (std::int64_t row = group; row < after; row++) any = any || flags_[row] != 0;
      for (std::int64_t row = group; any && row < after; row++) f(row);
    }
  };
  const std::int64_t chunks = (rows + kChunk - 1) / kChunk;
  Scratch<std::int64_t> starts(backend, chunks + 1);
  bool dead = false;  // whether there are rows without a gradient; these may be listed next to a live one
  auto count = [&](std::int64_t chunk, int) {
    std::int64_t found = 0;
    std::int64_t live = 0;
    each(chunk, [&](std::int64_t row) {
      found++;
      live += flags_[row] != 0 ? 1 : 0;
    });
    starts[chunk + 1] = found;
    if (live < smaller(rows - chunk * kChunk, kChunk)) __atomic_store_n(&dead, true, __ATOMIC_RELAXED);
  };
  parallel(backend, chunks, count);
  starts[0] = 0;
  for (std::int64_t chunk = 0; chunk < chunks; chunk++) starts[chunk + 1] += starts[chunk];
  auto write = [&](std::int64_t chunk, int) {
    std::int32_t* to = list_ + starts[chunk];
    each(chunk, [&](std::int64_t row) { *to++ = static_cast<std::int32_t>(row); });
  };
  parallel(backend, chunks, write);
  count_ = starts[chunks];
  all_ = !dead;
}

void LiveRows::clearFillers(float* data, std::int64_t width) const {
  if (all_ || kTermDepth == 1) return;
  for (std::int64_t i = 0; i < count_; i++) {
    if (flags_[list_[i]] == 0) clearNumbers(data + list_[i] * width, width);
  }
}

}  // namespace packed_rnn::PACKED_RNN_ISA
