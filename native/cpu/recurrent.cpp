// Functions that both passes over a recurrent layer call.
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

void slotProduct(const Term* w, std::int64_t depth, Blocks blocks, const float* x, std::int64_t xStride,
                 Term* memory, float* y, std::int64_t yStride, int rows, bool accumulate, Ahead& ahead) {
  const std::int64_t first = blocks.first * kLanes;
  const std::int64_t end = blocks.end * kLanes;
  const std::int64_t terms = termsIn(depth);
  const TermRows operand = termRows(x, xStride, rows, depth, memory);
  ahead.spread(stepsOf(rows, end - first, terms));
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

Agenda::Agenda(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, std::int64_t together,
               bool independent)
    : shape_(shape),
      places_(backend, larger(1, shape.sequences.count)),
      count_(CpuBackend::longestFirst(shape.sequences, places_)),
      together_(together) {
  constexpr std::int64_t kLeastWork = 1 << 18;   // multiply-adds; one worker does less work than this alone
  constexpr std::int64_t kLeastShared = 128;     // units; with fewer, a step is shorter than its barrier
  constexpr std::int64_t kManyUnits = 512;       // with more units W_hh does not fit the second-level cache
  constexpr std::int64_t kFewRows = 4 * kSlots;  // the third path reads the weights once for each kSlots rows
  const std::int64_t cores = backend.team().cores();
  const std::int64_t walks = count_ * shape.directions;
  const std::int64_t work = shape.rows * shape.directions * layout.width * layout.state;
  // At most one share for each core: otherwise a barrier would wait until the last worker gets a core.
  const std::int64_t shares = smaller(cores, (layout.blocks + together - 1) / together);
  // Weights in a slower cache are read for more sequences at once.
  std::int64_t most = layout.hidden > kManyUnits ? kSlots : kSlots / 2;
  std::int64_t ofOne = count_;  // sequences of one worker
  if (work < kLeastWork) {
    path_ = Path::sequences;
    workers_ = 1;
  } else if (independent && count_ == shape.rows && count_ <= kFewRows && layout.blocks >= cores) {
    path_ = Path::oneToken;
    workers_ = static_cast<int>(smaller(layout.blocks, 2 * cores));
    most = kSlots;
  } else if (layout.hidden >= kLeastShared && shares > walks) {
    path_ = Path::sharedUnits;
    workers_ = static_cast<int>(shares);
  } else {
    path_ = Path::sequences;
    workers_ = static_cast<int>(larger(1, smaller(cores, walks)));
    ofOne = (walks + workers_ - 1) / workers_;
  }
  // The fewest groups that hold all sequences, with equal sizes.
  ofOne = larger(1, ofOne);
  const std::int64_t groups = (ofOne + most - 1) / most;
  slots_ = static_cast<int>((ofOne + groups - 1) / groups);
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
  const Blocks allUnits{0, layout.blocks}, allState{0, layout.stateBlocks};
  if (path_ == Path::sequences) return {allUnits, allState, allState, nullptr};
  // As evenly as possible.
  const auto part = [&](std::int64_t blocks, std::int64_t together) {
    const std::int64_t parts = (blocks + together - 1) / together;
    const auto at = [&](std::int64_t w) { return smaller(blocks, parts * w / workers_ * together); };
    return Blocks{at(worker), at(worker + 1)};
  };
  // The projection is a separate product of whole panels.
  const Blocks state = part(layout.stateBlocks, layout.projected ? kTileVectors : together_);
  if (path_ == Path::oneToken) return {state, state, allState, nullptr};
  return {part(layout.blocks, together_), state, state, &barrier};
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
