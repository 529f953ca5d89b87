// How a layer lies in memory, and the walk over its sequences: what the forward and the backward pass share.
//
// Units are padded to whole vectors (Hp), and the columns of kLanes units lie side by side: column q of unit
// u stands at (u / kLanes) · Q kLanes + q kLanes + u % kLanes of C = Q Hp, where Q is the cell's number of
// columns. So adjacent vectors belong to the same units and the cell update stays in registers. Padding units
// have zero weights and compute harmless constants.
#pragma once

#include "cells.h"
#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr int kSlots = 24;  // at most, sequences in lock step: each load of a weight serves them all
constexpr int kSlotRows = kTileVectors == 4 ? 6 : 3;  // of them in one register tile of four vectors

struct Layout {
  Columns columns;
  std::int64_t hidden, blocks, padded, width;    // H, Hp / kLanes, Hp, C
  std::int64_t state, stateBlocks, statePadded;  // R, Rp / kLanes, Rp
  bool hasC, projected;
  std::int64_t extra;  // floats a row is saved with besides its columns

  explicit Layout(const RecurrentShape& shape)
      : columns(columnsOf(shape.cell)),
        hidden(shape.hiddenSize),
        blocks((hidden + kLanes - 1) / kLanes),
        padded(blocks * kLanes),
        width(columns.count * padded),
        state(shape.projectionSize > 0 ? shape.projectionSize : hidden),
        stateBlocks((state + kLanes - 1) / kLanes),
        statePadded(stateBlocks * kLanes),
        hasC(shape.cell == Cell::lstm),
        projected(shape.projectionSize > 0),
        // c, and with a projection what is projected; r h₋₁.
        extra(hasC                                ? (projected ? 2 * padded : padded)
              : shape.cell == Cell::resetFirstGru ? padded
                                                  : 0) {}

  // The row of a [G·H, *] parameter that a column takes from the gates in `gate`, or -1.
  std::int64_t parameterRow(std::int64_t column, const int* gate) const {
    const std::int64_t group = columns.count * kLanes;
    const std::int64_t unit = column / group * kLanes + column % kLanes;
    const int from = gate[column % group / kLanes];
    return unit < hidden && from >= 0 ? from * hidden + unit : -1;
  }
  // The rows of such a parameter that vector v of the columns takes, one a lane; a count of 0: none.
  struct Rows {
    std::int64_t first;
    int count;
  };
  Rows parameterRows(std::int64_t v, const int* gate) const {
    const std::int64_t j = v / columns.count;
    const int from = gate[v % columns.count];
    return from < 0 ? Rows{0, 0} : Rows{from * hidden + j * kLanes, live(j)};
  }
  // Lanes of block j that are units, and of a block of the state.
  int live(std::int64_t j) const { return static_cast<int>(smaller(kLanes, hidden - j * kLanes)); }
  int liveState(std::int64_t j) const { return static_cast<int>(smaller(kLanes, state - j * kLanes)); }
};

// The parts of `saved` that belong to one direction.
struct Saved {
  float* columns;      // [N, C]
  float* extra;        // [N, Hp]: c, or r h₋₁
  float* unprojected;  // [N, Hp]: o tanh(c) before the projection
  Saved(float* saved, const Layout& layout, std::int64_t rows, std::int64_t direction) {
    columns = saved + direction * rows * (layout.width + layout.extra);
    extra = columns + rows * layout.width;
    unprojected = extra + rows * layout.padded;
  }
};

// A row, or null, as a vector of block j.
PACKED_RNN_INLINE V loadUnits(const float* row, std::int64_t j, int live) {
  if (row == nullptr) return V{};
  return live == kLanes ? load(row + j * kLanes) : loadFirst(row + j * kLanes, live);
}
PACKED_RNN_INLINE void storeUnits(float* row, std::int64_t j, int live, V v) {
  live == kLanes ? store(row + j * kLanes, v) : storeFirst(row + j * kLanes, v, live);
}

// Blocks of a layer that one worker computes: in the first path all of them, of its own sequences. In the
// second path the team shares the units of all sequences; who needs what others computed waits for them. In
// the third path too, for sequences of one token, in cells where nobody needs what others computed.
struct Blocks {
  std::int64_t first, end;
};
struct Share {
  Blocks units, state;  // of H and of R; the same where nothing is projected
  Blocks opened;        // of R: what it reads of the initial states
  Barrier* barrier;     // null: nobody else
  void wait() const {
    if (barrier != nullptr) barrier->wait();
  }
};

// y [rows, *] (+)= x [rows, depth] · w, for at most kSlots rows and the given blocks of columns, while what
// `ahead` names is fetched. w is panels of terms, of which `blocks` begins one. `memory` holds x as terms.
void slotProduct(const Term* w, std::int64_t depth, Blocks blocks, const float* x, std::int64_t xStride,
                 Term* memory, float* y, std::int64_t yStride, int rows, bool accumulate, Ahead& ahead);

struct Slot {
  std::int64_t place;  // b
  std::int64_t row;    // of the next token
  std::int64_t left;   // tokens still to do, this one included
};

// The sequences that are not empty, the longest first, and who computes them.
class Agenda {
 public:
  // together: blocks that a worker of the second path computes at once. independent: whether the third path
  // may be taken.
  Agenda(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, std::int64_t together,
         bool independent);
  // The sequence at `cursor`, at its first token (`fromEnd`: at its last), and the cursor moves on. False
  // where there is none. A cursor that workers have in common gives each sequence to one of them; which one
  // depends on timing, but what is computed for it does not.
  bool take(std::int64_t& cursor, bool fromEnd, Slot& slot) const;
  int slots() const { return slots_; }
  int workers() const { return workers_; }
  // The paths: see Share. Every sum has the same order in all of them.
  enum class Path { sequences, sharedUnits, oneToken };
  Path path() const { return path_; }
  Share share(const Layout& layout, int worker, Barrier& barrier) const;

 private:
  const RecurrentShape& shape_;
  Scratch<std::int32_t> places_;
  std::int64_t count_, together_;
  Path path_;
  int workers_, slots_;
};

// Walks sequences of one direction in lock step until the agenda has no more. `pass` has open(slot, s), which
// fills the state of slot s; step(slots, live), which does one token of each; ended(slot, s), whether the
// tokens that are left need not be walked; close(slot, s); and move(from, to), which moves the state of a
// slot.
template <class Pass>
void walk(const Agenda& agenda, std::int64_t& cursor, bool fromEnd, Pass& pass) {
  Slot slots[kSlots];
  int live = 0;
  while (live < agenda.slots() && agenda.take(cursor, fromEnd, slots[live])) {
    pass.open(slots[live], live);
    live++;
  }
  while (live > 0) {
    pass.step(slots, live);
    for (int s = 0; s < live; s++) {
      slots[s].row += fromEnd ? -1 : 1;
      if (--slots[s].left > 0 && !pass.ended(slots[s], s)) continue;
      pass.close(slots[s], s);
      if (agenda.take(cursor, fromEnd, slots[s])) {
        pass.open(slots[s], s);
      } else if (s < --live) {
        slots[s] = slots[live];
        pass.move(live, s);
        s--;
      }
    }
  }
}

// All directions of a layer: makePass(direction, share, memory, terms) is walked by every worker, with
// `perWorker` floats for the states of its slots, or in the second path of everybody's, and with what a
// product of its slots has as terms. backward: from each sequence's last token to its first.
template <class MakePass>
void walkAll(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, const Agenda& agenda,
             bool backward, std::int64_t perWorker, MakePass makePass) {
  const int workers = agenda.workers();
  const bool together = agenda.path() == Agenda::Path::sharedUnits;
  const bool dealsSequences = agenda.path() == Agenda::Path::sequences;
  Scratch<float> memory(backend, perWorker * (together ? 1 : workers));
  const std::int64_t ownTerms = kTermDepth == 1 ? 0 : kSlots * termsIn(layout.width);
  Scratch<Term> terms(backend, ownTerms * workers);
  Barrier barrier(workers);
  std::int64_t cursors[2] = {0, 0};
  auto task = [&](std::int64_t t, int) {
    for (std::int64_t i = 0; i < shape.directions; i++) {
      // Half of the team begins at the other end, unless all go together.
      const std::int64_t d = dealsSequences ? (t + i) % shape.directions : i;
      const bool fromEnd = (d == 1) != backward;
      std::int64_t own = 0;
      const Share share = agenda.share(layout, static_cast<int>(t), barrier);
      auto pass = makePass(d, share, memory + (together ? 0 : t * perWorker), terms + t * ownTerms);
      walk(agenda, dealsSequences ? cursors[d] : own, fromEnd, pass);
      share.wait();
    }
  };
  together ? parallelTogether(backend, workers, task) : parallel(backend, workers, task);
}

// The state of an empty sequence passes through, from `from` (null: zeros) to `to`, both [D, B, size].
void passEmptyThrough(const RecurrentShape& shape, std::int64_t size, const float* from, float* to);

}  // namespace packed_rnn::PACKED_RNN_ISA
