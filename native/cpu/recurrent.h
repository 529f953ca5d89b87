// How a layer lies in memory, and the walk over its sequences: what the forward and the backward pass share.
//
// Units are padded to whole vectors (Hp) and the four gates of kLanes units lie side by side: gate q of unit
// u is column (u / kLanes) · 4 kLanes + q kLanes + u % kLanes of G = 4 Hp. So four adjacent vectors are i, f,
// g, o of the same units and the cell update stays in registers. Padding units have zero weights and compute
// harmless constants.
#pragma once

#include "cells.h"
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr int kGateVectors = 4 * kLanes;  // floats of a block: four gates of kLanes units
constexpr int kSlots = 12;                // sequences in lock step: each load of a weight serves them all
constexpr int kSlotRows = kTileVectors == 4 ? 6 : 3;  // of them in one register tile of four vectors

struct Layout {
  std::int64_t hidden, blocks, padded, gates;  // H, Hp / kLanes, Hp, G

  explicit Layout(std::int64_t h)
      : hidden(h), blocks((h + kLanes - 1) / kLanes), padded(blocks * kLanes), gates(4 * padded) {}

  // The row of a [4H, *] parameter that column `column` comes from, or -1 for padding.
  std::int64_t parameterRow(std::int64_t column) const {
    const std::int64_t unit = column / kGateVectors * kLanes + column % kLanes;
    return unit < hidden ? column % kGateVectors / kLanes * hidden + unit : -1;
  }
  // Lanes of block j that are units.
  int live(std::int64_t j) const { return static_cast<int>(smaller(kLanes, hidden - j * kLanes)); }
};

// The parts of `saved` that belong to one direction.
struct Saved {
  float* gates;  // [N, G]
  float* cells;  // [N, Hp]
  Saved(float* saved, const Layout& layout, std::int64_t rows, std::int64_t direction)
      : gates(saved + direction * rows * (layout.gates + layout.padded)),
        cells(gates + rows * layout.gates) {}
};

// A row, or null, as a vector of block j.
PACKED_RNN_INLINE V loadUnits(const float* row, std::int64_t j, int live) {
  if (row == nullptr) return V{};
  return live == kLanes ? load(row + j * kLanes) : loadFirst(row + j * kLanes, live);
}
PACKED_RNN_INLINE void storeUnits(float* row, std::int64_t j, int live, V v) {
  live == kLanes ? store(row + j * kLanes, v) : storeFirst(row + j * kLanes, v, live);
}

// wIh and the biases in column order: weights [G, I], bias [G].
void packInputWeights(const LstmWeights& weights, const Layout& layout, std::int64_t inputSize, float* packed,
                      float* bias);

struct Slot {
  std::int64_t place;  // b, and in a state [D, B, H] its row is d · B + b
  std::int64_t row;    // of the next token
  std::int64_t left;   // tokens still to do, this one included
};

// Hands out the sequences of each direction, the longest first, to whoever has a slot free. Which slot gets
// which sequence depends on timing; what is computed for a sequence does not.
class Agenda {
 public:
  Agenda(CpuBackend& backend, const LstmShape& shape);
  std::int64_t directions() const { return shape_.directions; }
  int slots() const { return slots_; }
  // The next sequence of a direction, at its first token (`fromEnd`: at its last). False where there is none.
  bool take(std::int64_t direction, bool fromEnd, Slot& slot);

 private:
  const LstmShape& shape_;
  Scratch<std::int32_t> places_;
  std::int64_t count_;
  int slots_;
  std::int64_t next_[2] = {0, 0};
};

// Walks sequences of one direction in lock step until the agenda has no more. `pass` has open(slot, s), which
// fills the state of slot s; step(slots, live), which does one token of each; close(slot, s); and move(from,
// to), which moves the state of a slot. backward: from each sequence's last token to its first.
template <class Pass>
void walk(Agenda& agenda, std::int64_t direction, bool backward, Pass& pass) {
  const bool fromEnd = (direction == 1) != backward;
  Slot slots[kSlots];
  int live = 0;
  while (live < agenda.slots() && agenda.take(direction, fromEnd, slots[live])) {
    pass.open(slots[live], live);
    live++;
  }
  while (live > 0) {
    pass.step(slots, live);
    for (int s = 0; s < live; s++) {
      slots[s].row += fromEnd ? -1 : 1;
      if (--slots[s].left > 0) continue;
      pass.close(slots[s], s);
      if (agenda.take(direction, fromEnd, slots[s])) {
        pass.open(slots[s], s);
      } else if (s < --live) {
        slots[s] = slots[live];
        pass.move(live, s);
        s--;
      }
    }
  }
}

// One worker's share of all directions; half of the team begins at the other end.
template <class Run>
void walkAll(CpuBackend& backend, std::int64_t directions, Run run) {
  auto task = [&](std::int64_t t, int worker) {
    for (std::int64_t d = 0; d < directions; d++) run((t + d) % directions, worker);
  };
  parallel(backend, backend.team().size(), task);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
