// Vanished gradients. If the gradients of both states of a sequence are exactly 0 and its remaining outputs
// have no gradient, everything that the walk would still write is 0. So the walk ends there. The rows that it
// skips are not written, and later sums and products skip them too. Every sum has the same bits as with these
// rows, as long as 0 times anything is 0: see vanishes().
#pragma once

#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

PACKED_RNN_INLINE bool allZero(const float* numbers, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    if (!isZero(load(numbers + i))) return false;
  }
  return i == count || isZero(loadFirst(numbers + i, static_cast<int>(count - i)));
}

// How many tokens of each sequence the walks of a backward pass have processed.
class Walked {
 public:
  Walked(CpuBackend& backend, const RecurrentShape& shape)
      : shape_(shape), counts_(backend, larger(1, shape.directions * shape.sequences.count)) {}

  std::int64_t length(std::int64_t b) const {
    return shape_.sequences.offsets[b + 1] - shape_.sequences.offsets[b];
  }
  // The tokens of b up to the last one with a gradient in dOutput, in the order of the walk of direction d.
  std::int64_t reach(std::int64_t b, std::int64_t d, const float* dOutput) const;
  // Records that the walk of b ended with `left` tokens left.
  void end(std::int64_t b, std::int64_t d, std::int64_t left) {
    counts_[d * shape_.sequences.count + b] = static_cast<std::int32_t>(length(b) - left);
  }
  std::int64_t count(std::int64_t b, std::int64_t d) const { return counts_[d * shape_.sequences.count + b]; }
  const RecurrentShape& shape() const { return shape_; }

 private:
  const RecurrentShape& shape_;
  Scratch<std::int32_t> counts_;
};

// Whether walks may end early: some gradient of the output ends before its sequence does, and 0 stays 0
// through weights, inputs and initial states. The result is false if one of them contains an infinity, a NaN
// or a number so large that a sum of products may become one. It is also false for a cell whose state may
// grow without bound.
bool vanishes(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout);

// The rows that may hold a gradient: tokens that were walked, or distinct rows with such a token.
class LiveRows {
 public:
  // walked null: all rows
  LiveRows(CpuBackend& backend, const Walked* walked, std::int64_t rows, std::int64_t direction);
  LiveRows(CpuBackend& backend, const LiveRows& tokens, const RowIndex& index, std::int64_t distinct);

  Live live() const { return all_ ? Live{nullptr, 0} : Live{list_, count_}; }
  // [rows], 0 if there is no gradient; null: all rows have one.
  const std::uint8_t* flags() const { return all_ ? nullptr : static_cast<const std::uint8_t*>(flags_); }
  // Clears those rows of [rows, width] that are listed only because a neighbour is live.
  void clearFillers(float* data, std::int64_t width) const;

 private:
  void list(CpuBackend& backend, std::int64_t rows);

  bool all_;
  std::int64_t count_ = 0;
  Scratch<std::uint8_t> flags_;
  Scratch<std::int32_t> list_;
};

}  // namespace packed_rnn::PACKED_RNN_ISA
