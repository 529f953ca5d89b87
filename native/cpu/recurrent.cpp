// What both passes over a recurrent layer call.
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

void slotProduct(const Term* w, std::int64_t depth, Blocks blocks, const float* x, std::int64_t xStride,
                 Term* memory, float* y, std::int64_t yStride, int rows, bool accumulate, Ahead& ahead) {
  const std::int64_t first = blocks.first * kLanes;
  const std::int64_t end = blocks.end * kLanes;
  const std::int64_t terms = termsIn(depth);
  const TermRows operand = termRows(x, xStride, rows, depth, memory);
  ahead.spread((end - first + kPanel - 1) / kPanel * ((rows + kTileRows - 1) / kTileRows) *
               ((terms + kAheadDepth - 1) / kAheadDepth));
  for (std::int64_t j = first; j < end; j += kPanel) {
    const std::int64_t width = smaller(kPanel, end - j);
    for (int s = 0, count; s < rows; s += count) {
      count = tileRows(rows - s, kTileRows);
      float* const to = y + s * yStride + j;
      tileOf(count, static_cast<int>(width / kLanes),
             {operand.data + s * operand.stride, operand.stride, 1, w + j * terms, kPanel, terms,
              accumulate ? to : nullptr, yStride, to, yStride},
             ahead);
    }
  }
}

Agenda::Agenda(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, std::int64_t together)
    : shape_(shape), places_(backend, larger(1, shape.sequences.count)), together_(together) {
  // A step of fewer units is over sooner than workers can wait for each other.
  constexpr std::int64_t kLeastShared = 128;
  const Team& team = backend.team();
  count_ = CpuBackend::longestFirst(shape.sequences, places_);
  const std::int64_t walks = count_ * shape.directions;
  // Who waits in lock step for a thread that has no core waits for a whole turn of it.
  const std::int64_t shares = smaller(team.cores(), (layout.blocks + together - 1) / together);
  // Multiply-adds of a walk that is over before another worker has begun; the second path, whose workers wait
  // for each other, must outlast that by far.
  constexpr std::int64_t kLeastWork = 1 << 17;
  const std::int64_t work = shape.rows * shape.directions * layout.width * layout.state;
  shared_ = layout.hidden >= kLeastShared && shares > walks && work >= 8 * kLeastWork;
  const std::int64_t apart = work < kLeastWork ? 1 : larger(1, smaller(team.size(), walks));
  workers_ = static_cast<int>(shared_ ? shares : apart);
  // Recurrent weights of more units leave the second-level cache, and come back for twice as many sequences.
  constexpr std::int64_t kManyUnits = 512;
  const std::int64_t most = layout.hidden > kManyUnits ? kSlots : kSlots / 2;
  // With few sequences every worker gets some rather than one worker all.
  const std::int64_t each = (walks + workers_ - 1) / workers_;
  slots_ = static_cast<int>(larger(1, smaller(most, shared_ ? count_ : each)));
}

bool Agenda::take(std::int64_t& cursor, bool fromEnd, Slot& slot) const {
  const std::int64_t i = __atomic_fetch_add(&cursor, 1, __ATOMIC_RELAXED);
  if (i >= count_) return false;
  const std::int64_t b = places_[i];
  const std::int64_t begin = shape_.sequences.offsets[b];
  const std::int64_t end = shape_.sequences.offsets[b + 1];
  slot = {b, fromEnd ? end - 1 : begin, end - begin};
  return true;
}

Share Agenda::share(const Layout& layout, int worker, Barrier& barrier) const {
  if (!shared_) return {{0, layout.blocks}, {0, layout.stateBlocks}, nullptr};
  // As even as they go.
  const auto part = [&](std::int64_t blocks, std::int64_t together) {
    const std::int64_t parts = (blocks + together - 1) / together;
    const auto at = [&](std::int64_t w) { return smaller(blocks, parts * w / workers_ * together); };
    return Blocks{at(worker), at(worker + 1)};
  };
  // What is projected is a product of its own, of whole panels.
  return {part(layout.blocks, together_),
          part(layout.stateBlocks, layout.projected ? kTileVectors : together_), &barrier};
}

void passEmptyThrough(const RecurrentShape& shape, std::int64_t size, const float* from, float* to) {
  if (to == nullptr) return;
  const Sequences& sequences = shape.sequences;
  for (std::int64_t row = 0; row < shape.directions * sequences.count; row++) {
    const std::int64_t b = row % sequences.count;
    if (sequences.offsets[b] != sequences.offsets[b + 1]) continue;
    for (std::int64_t i = row * size; i < (row + 1) * size; i++) to[i] = from == nullptr ? 0.0f : from[i];
  }
}

std::int64_t Kernels::recurrentSavedCount(const RecurrentShape& shape) const {
  const Layout layout(shape);
  return shape.directions * shape.rows * (layout.width + layout.extra);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
