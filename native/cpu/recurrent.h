// A layer's memory layout, and the walk over its sequences. The forward and the backward pass share both.
//
// Units are padded to whole vectors (Hp). The columns of kLanes units are adjacent: column q of unit u is at
// (u / kLanes) · Q kLanes + q kLanes + u % kLanes of C = Q Hp, where Q is the cell's number of columns. So
// adjacent vectors belong to the same units, and the cell update stays in registers. Padding units have zero
// weights and compute harmless constants.
#pragma once

#include "cells.h"
#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace packed_rnn::PACKED_RNN_ISA {

// The most sequences in lock step: each load of a weight serves all of them.
constexpr int kSlots = kHasTiles ? 32 : 24;
// Slots in one register tile of four vectors.
constexpr int kSlotRows = kHasTiles ? kTileRows : kTileVectors == 4 ? 6 : 3;

struct Layout {
  Columns columns;
  std::int64_t hidden, blocks, padded, width;    // H, Hp / kLanes, Hp, C
  std::int64_t state, stateBlocks, statePadded;  // R, Rp / kLanes, Rp
  bool hasC, projected;
  std::int64_t extra;  // floats saved for a row in addition to its columns

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
        // c, and with a projection o tanh(c); or r h₋₁.
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
  // The rows of such a parameter that vector v of the columns takes, one for each lane; a count of 0: no
  // rows.
  struct Rows {
    std::int64_t first;
    int count;
  };
  Rows parameterRows(std::int64_t v, const int* gate) const {
    const std::int64_t j = v / columns.count;
    const int from = gate[v % columns.count];
    return from < 0 ? Rows{0, 0} : Rows{from * hidden + j * kLanes, live(j)};
  }
  // The lanes of block j that are units, and those of a block of the state.
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

// A vector of block j of a row. A null row reads as zeros.
PACKED_RNN_INLINE V loadUnits(const float* row, std::int64_t j, int live) {
  if (row == nullptr) return V{};
  return live == kLanes ? load(row + j * kLanes) : loadFirst(row + j * kLanes, live);
}
PACKED_RNN_INLINE void storeUnits(float* row, std::int64_t j, int live, V v) {
  live == kLanes ? store(row + j * kLanes, v) : storeFirst(row + j * kLanes, v, live);
}

// The blocks of a layer that one worker computes. In the first path a worker computes all blocks of the
// sequences that it walks. In the second path the team shares the units of all sequences, and workers wait
// for results of others. The third path shares units too, for sequences of one token, in cells that need no
// results of other workers.
struct Blocks {
  std::int64_t first, end;
};
struct Share {
  Blocks units, state;  // of H and of R; the same without a projection
  Blocks opened;        // of R: the part of the initial states that it reads
  Barrier* barrier;     // null: the worker shares nothing
  void wait() const {
    if (barrier != nullptr) barrier->wait();
  }
};

// y [rows, *] (+)= x [rows, depth] · w, for at most kSlots rows and the given blocks of columns, while the
// memory in `ahead` is prefetched. w is panels of terms; each of `blocks` starts at a panel. `memory` holds x
// as terms.
void slotProduct(const Term* w, std::int64_t depth, Blocks blocks, const float* x, std::int64_t xStride,
                 Term* memory, float* y, std::int64_t yStride, int rows, bool accumulate, Ahead& ahead);

struct Slot {
  std::int64_t place;  // b
  std::int64_t row;    // of the next token
  std::int64_t left;   // tokens still to process, including this one
};

// The sequences that are not empty, the longest first, and how workers share them.
class Agenda {
 public:
  // together: the number of blocks that a worker of the second path computes at once. independent: whether
  // the third path is possible.
  Agenda(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, std::int64_t together,
         bool independent);
  // Takes the sequence at `cursor`, at its first token (`fromEnd`: at its last), and advances the cursor.
  // Returns false when no sequence is left. If workers share a cursor, each sequence goes to one of them.
  // Which one depends on timing, but the result does not.
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

// Walks sequences of one direction in lock step until the agenda is empty. `pass` has these functions:
// open(slot, s) fills the state of slot s; step(slots, live) processes one token of each; ended(slot, s)
// returns whether the remaining tokens can be skipped; close(slot, s); move(from, to) moves the state of a
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

// Walks all directions of a layer. Every worker walks makePass(direction, share, memory, terms). `memory` has
// `perWorker` floats for the states of the worker's slots, or in the second path for those of all workers.
// `terms` holds the operand of a product of its slots. backward: from each sequence's last token to its
// first.
template <class MakePass>
void walkAll(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout, const Agenda& agenda,
             bool backward, std::int64_t perWorker, MakePass makePass) {
  const int workers = agenda.workers();
  const bool together = agenda.path() == Agenda::Path::sharedUnits;
  const bool dealsSequences = agenda.path() == Agenda::Path::sequences;
  Scratch<float> memory(backend, perWorker * (together ? 1 : workers));
  const std::int64_t ownTerms = kTermDepth == 1 ? 0 : kSlots * termsApart(layout.width);
  Scratch<Term> terms(backend, ownTerms * workers);
  Barrier barrier(workers);
  std::int64_t cursors[2] = {0, 0};
  auto task = [&](std::int64_t t, int) {
    for (std::int64_t i = 0; i < shape.directions; i++) {
      // Half of the team begins with the other direction, unless all workers walk together.
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

// Copies the state of an empty sequence from `from` (null: zeros) to `to`, both [D, B, size].
void passEmptyThrough(const RecurrentShape& shape, std::int64_t size, const float* from, float* to);

}  // namespace packed_rnn::PACKED_RNN_ISA
