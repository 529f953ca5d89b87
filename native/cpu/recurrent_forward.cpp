// A recurrent layer, forward: one product for the projection of all distinct rows, then the recurrence. A
// worker walks whole sequences from end to end, and no worker waits for another.
#include "cpu/recurrent_weights.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kStreamed = 4 << 20;  // floats; see States::streams

// One sequence at one token.
struct Token {
  const float* x;      // the projected row, [C]
  const float* next;   // the same for the sequence's next token
  float* columns;      // where the columns are saved, [C], or null; may be x
  float* extra;        // where c or r h₋₁ is saved, [Hp]
  float* unprojected;  // where o tanh(c) before a projection is saved, [Hp]
  float* output;       // [R]
};

// The states of a worker's slots.
struct States {
  float* h;      // [kSlots, Rp]
  float* next;   // [kSlots, Rp]: h after this step, while h is still read
  float* c;      // [kSlots, Hp]: c; or the reset-first GRU's z between its two halves
  float* aside;  // [kSlots, Hp]: o tanh(c) before a projection; r h₋₁
  bool streams;  // saved data would leave the caches before the backward pass reads it
};

// A tile covers columns [first, first + count) of a cell: all columns, except in the cell whose second half
// needs the first.
template <Cell cell>
constexpr bool kHasHalves = cell == Cell::resetFirstGru;

// From pre-activations to the new state, for slot s and the units of block j.
template <Cell cell, int first>
PACKED_RNN_INLINE void finish(const V* acc, const Layout& layout, std::int64_t j, int s, const States& states,
                              const Token& token) {
  const int live = layout.live(j);
  const std::int64_t at = s * layout.padded + j * kLanes;
  const std::int64_t stateAt = s * layout.statePadded + j * kLanes;
  float* columns = token.columns == nullptr ? nullptr : token.columns + j * layout.columns.count * kLanes;
  const auto keep = [&](float* to, V value) { states.streams ? stream(to, value) : store(to, value); };
  const auto save = [&](int column, V value) {
    if (columns != nullptr) keep(columns + column * kLanes, value);
  };
  const auto emit = [&](V h) {
    store(states.next + stateAt, h);
    storeUnits(token.output, j, live, h);
  };
  if constexpr (cell == Cell::lstm) {
    LstmCell<Gates> unit{acc[0], acc[1], acc[2], acc[3], load(states.c + at), V{}};
    unit.forward();
    store(states.c + at, unit.c);
    save(0, unit.i);
    save(1, unit.f);
    save(2, unit.g);
    save(3, unit.o);
    if (columns != nullptr) keep(token.extra + j * kLanes, unit.c);
    if (!layout.projected) return emit(unit.h);
    store(states.aside + at, unit.h);
    if (columns != nullptr) store(token.unprojected + j * kLanes, unit.h);
  } else if constexpr (cell == Cell::gru) {
    GruCell<Gates> unit{acc[0], acc[1], acc[2], acc[3], load(states.h + stateAt)};
    unit.forward();
    save(0, unit.r);
    save(1, unit.z);
    save(2, unit.n);
    save(3, unit.q);
    emit(unit.h);
  } else if constexpr (cell == Cell::resetFirstGru && first == 0) {
    const V r = Gates::sigmoid(acc[0]);
    const V z = Gates::sigmoid(acc[1]);
    const V reset = r * load(states.h + stateAt);
    save(0, r);
    save(1, z);
    if (columns != nullptr) store(token.extra + j * kLanes, reset);
    store(states.c + at, z);
    store(states.aside + at, reset);
  } else if constexpr (cell == Cell::resetFirstGru) {
    const V n = Gates::tanh(acc[0]);
    save(2, n);
    emit(ResetFirstGruCell<Gates>::newState(n, load(states.c + at), load(states.h + stateAt)));
  } else {
    const V h = ElmanCell<Gates, cell == Cell::elmanRelu>::forward(acc[0]);
    save(0, h);
    emit(h);
  }
}

// The GRU's column 2 is only the input's part of n, and column 3 has no input part. There a weight of 0 times
// an infinite input would be NaN.
template <Cell cell>
constexpr int kOnlyInput = cell == Cell::gru ? 2 : -1;
template <Cell cell>
constexpr int kOnlyRecurrent = cell == Cell::gru ? 3 : -1;

#if defined(PACKED_RNN_TILES)

// One step of at most kSlotRows sequences for the kLanes units of block j. `count` columns from `first` are
// x + w · operand; then comes the cell. w is [terms][count kLanes], operand [rows, stride].
template <Cell cell, int first, int count>
void columnTile(int rows, const Term* w, const Layout& layout, std::int64_t j, const float* bias,
                const Term* operand, std::int64_t stride, int s, const States& states, const Token* tokens) {
  constexpr int columns = cell == Cell::resetFirstGru ? 3 : count;
  const std::int64_t at = (j * columns + first) * kLanes;
  Ahead ahead;
  for (int r = s; r < s + rows; r++) {
    ahead.add(tokens[r].next + at, count * kLanes);
    prefetchToWrite(tokens[r].output + j * kLanes);
  }
  const std::int64_t terms = termsIn(layout.state);
  ahead.spread(stepsOf(rows, count * kLanes, terms));
  alignas(64) float sums[kSlotRows * count * kLanes];
  tilesOf<count, kOnlyInput<cell>>(
      rows, {operand, stride, 1, w, count * kLanes, terms, nullptr, 0, sums, count * kLanes}, ahead);
  for (int r = 0; r < rows; r++) {
    const Token& token = tokens[s + r];
    V acc[count];
#pragma GCC unroll 4
    for (int q = 0; q < count; q++) {
      acc[q] = load(q == kOnlyRecurrent<cell> ? bias + at + q * kLanes : token.x + at + q * kLanes);
      if (q != kOnlyInput<cell>) acc[q] += load(sums + (r * count + q) * kLanes);
    }
    finish<cell, first>(acc, layout, j, s + r, states, token);
  }
}

#else

// One step of R sequences for the kLanes units of block j. `count` columns from `first` are x + w · operand;
// then comes the cell. w is [terms][count kLanes], operand [R, stride].
template <Cell cell, int first, int count, int R>
__attribute__((noinline)) void columnTile(const Term* w, const Layout& layout, std::int64_t j,
                                          const float* bias, const Term* operand, std::int64_t stride, int s,
                                          const States& states, const Token* tokens) {
  constexpr auto recurs = [](int q) { return q != kOnlyInput<cell>; };
  constexpr auto projects = [](int q) { return q != kOnlyRecurrent<cell>; };
  constexpr int columns = cell == Cell::resetFirstGru ? 3 : count;
  V acc[R][count];
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int q = 0; q < count; q++)
      acc[r][q] = load((projects(q) ? tokens[s + r].x : bias) + (j * columns + first + q) * kLanes);
  // In R parts, each of which prefetches the next token of one sequence. Data from memory then arrives in
  // time, and no burst of it delays the weights.
  const std::int64_t terms = termsIn(layout.state);
  std::int64_t k = 0;
#pragma GCC unroll 1
  for (int part = 0; part < R; part++) {
    const float* const next = tokens[s + part].next + (j * columns + first) * kLanes;
    for (int q = 0; q < count; q++) prefetch(next + q * kLanes);
    prefetchToWrite(tokens[s + part].output + j * kLanes);
    for (const std::int64_t end = terms * (part + 1) / R; k < end; k++, w += count * kLanes) {
      TermV panel[count];
#pragma GCC unroll 4
      for (int q = 0; q < count; q++) {
        if (recurs(q)) panel[q] = load(w + q * kLanes);
      }
#pragma GCC unroll 6
      for (int r = 0; r < R; r++) {
        const TermV factor = splat(operand[r * stride + k]);
#pragma GCC unroll 4
        for (int q = 0; q < count; q++) {
          if (recurs(q)) acc[r][q] = multiplyAdd(factor, panel[q], acc[r][q]);
        }
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; r++) finish<cell, first>(acc[r], layout, j, s + r, states, tokens[s + r]);
}

#endif

// All slots of one (half) step, for some blocks. w is [blocks][terms][count kLanes], operand [kSlots,
// stride].
template <Cell cell, int first, int count>
void columnTiles(const Term* weights, const Layout& layout, Blocks units, const float* bias, TermRows operand,
                 int live, const States& states, const Token* tokens) {
  for (std::int64_t j = units.first; j < units.end; j++) {
    const Term* const w = weights + j * termsIn(layout.state) * count * kLanes;
    for (int s = 0, rows; s < live; s += rows) {
      rows = tileRows(live - s, kSlotRows);
#if defined(PACKED_RNN_TILES)
      columnTile<cell, first, count>(rows, w, layout, j, bias, operand.data + s * operand.stride,
                                     operand.stride, s, states, tokens);
#else
      const auto run = [&](auto tile) {
        tile(w, layout, j, bias, operand.data + s * operand.stride, operand.stride, s, states, tokens);
      };
      switch (rows) {
        case 1:
          run(columnTile<cell, first, count, 1>);
          break;
        case 2:
          run(columnTile<cell, first, count, 2>);
          break;
        case 3:
          run(columnTile<cell, first, count, 3>);
          break;
        case 4:
          run(columnTile<cell, first, count, 4>);
          break;
        case 5:
          run(columnTile<cell, first, count, 5>);
          break;
        default:
          run(columnTile<cell, first, count, 6>);
          break;
      }
#endif
    }
  }
}

// One worker in one direction; see walk().
template <Cell cell>
struct ForwardPass {
  const RecurrentForward& a;
  const Layout& layout;
  std::int64_t direction;
  Share share;
  const ForwardWeights::Direction& weights;
  const float* projected;  // [U, C]
  Saved saved;             // columns null: nothing is saved
  States states;
  Term* terms;

  const float* initial(const float* from, const Slot& slot, std::int64_t size) const {
    return from == nullptr ? nullptr : from + (direction * a.sequences.count + slot.place) * size;
  }
  float* final(float* to, const Slot& slot, std::int64_t size) const {
    return to + (direction * a.sequences.count + slot.place) * size;
  }

  void open(const Slot& slot, int s) {
    const float* h0 = initial(a.h0, slot, layout.state);
    for (std::int64_t j = share.opened.first; j < share.opened.end; j++) {
      store(states.h + s * layout.statePadded + j * kLanes, loadUnits(h0, j, layout.liveState(j)));
    }
    if (!layout.hasC) return;
    const float* c0 = initial(a.c0, slot, layout.hidden);
    for (std::int64_t j = share.units.first; j < share.units.end; j++) {
      store(states.c + s * layout.padded + j * kLanes, loadUnits(c0, j, layout.live(j)));
    }
  }

  void step(const Slot* slots, int live) {
    Token tokens[kSlots];
    const bool saves = saved.columns != nullptr;
    const std::int64_t outputs = a.directions * layout.state;
    for (int s = 0; s < live; s++) {
      const std::int64_t n = slots[s].row;
      const std::int64_t after = slots[s].left == 1 ? n : (direction == 1 ? n - 1 : n + 1);
      const auto rowOf = [&](std::int64_t place) {
        return projected + (a.index == nullptr ? place : a.index[place]) * layout.width;
      };
      tokens[s] = {rowOf(n),
                   rowOf(after),
                   saves ? saved.columns + n * layout.width : nullptr,
                   saves ? saved.extra + n * layout.padded : nullptr,
                   saves ? saved.unprojected + n * layout.padded : nullptr,
                   a.output + n * outputs + direction * layout.state};
    }
    const Blocks units = share.units;
    share.wait();  // until h is complete
    const TermRows h = termRows(states.h, layout.statePadded, live, layout.state, terms);
    if constexpr (kHasHalves<cell>) {
      columnTiles<cell, 0, 2>(weights.first, layout, units, weights.bias, h, live, states, tokens);
      share.wait();
      const TermRows reset = termRows(states.aside, layout.padded, live, layout.state, terms);
      columnTiles<cell, 2, 1>(weights.second, layout, units, weights.bias, reset, live, states, tokens);
    } else {
      constexpr int count = columnsOf(cell).count;
      columnTiles<cell, 0, count>(weights.first, layout, units, weights.bias, h, live, states, tokens);
    }
    if (layout.projected) project(tokens, live);
    float* held = states.h;
    states.h = states.next;
    states.next = held;
  }

  // h = wHr · o tanh(c)
  void project(const Token* tokens, int live) {
    Ahead nothing;
    share.wait();
    slotProduct(weights.projection, layout.hidden, share.state, states.aside, layout.padded, terms,
                states.next, layout.statePadded, live, false, nothing);
    for (int s = 0; s < live; s++) {
      for (std::int64_t j = share.state.first; j < share.state.end; j++) {
        const V h = load(states.next + s * layout.statePadded + j * kLanes);
        storeUnits(tokens[s].output, j, layout.liveState(j), h);
      }
    }
  }

  static bool ended(const Slot&, int) { return false; }

  void close(const Slot& slot, int s) {
    if (states.streams) streamed();
    float* hN = final(a.hN, slot, layout.state);
    for (std::int64_t j = share.state.first; j < share.state.end; j++) {
      storeUnits(hN, j, layout.liveState(j), load(states.h + s * layout.statePadded + j * kLanes));
    }
    if (!layout.hasC) return;
    float* cN = final(a.cN, slot, layout.hidden);
    for (std::int64_t j = share.units.first; j < share.units.end; j++) {
      storeUnits(cN, j, layout.live(j), load(states.c + s * layout.padded + j * kLanes));
    }
  }

  void move(int from, int to) {
    for (std::int64_t i = share.state.first * kLanes; i < share.state.end * kLanes; i++) {
      states.h[to * layout.statePadded + i] = states.h[from * layout.statePadded + i];
    }
    for (std::int64_t i = share.units.first * kLanes; i < share.units.end * kLanes; i++) {
      states.c[to * layout.padded + i] = states.c[from * layout.padded + i];
    }
  }
};

template <Cell cell>
void runForward(CpuBackend& backend, const RecurrentForward& a, const Layout& layout) {
  Held<ForwardWeights> held(a.kept);
  const ForwardWeights* found = held.get();
  const ForwardWeights& weights =
      found != nullptr ? *found
                       : held.keep(new ForwardWeights(backend, a, layout, a.weights.at, kHasHalves<cell>));
  const std::int64_t inputs = a.inputSize, distinct = a.distinctRows;
  // Rows that are not indexed are projected to where their columns will be saved.
  const bool inPlace = a.saved != nullptr && a.index == nullptr;
  Scratch<float> table(backend, inPlace ? 0 : a.directions * distinct * layout.width);
  const auto projected = [&](std::int64_t d) {
    return inPlace ? Saved(a.saved, layout, a.rows, d).columns : table + d * distinct * layout.width;
  };
  for (std::int64_t d = 0; d < a.directions; d++) {
    const ForwardWeights::Direction& own = weights.direction(d);
    gemm(backend, {distinct, layout.width, inputs, Operand{a.x, inputs, nullptr, false}, Operand{},
                   projected(d), layout.width, own.bias, false, nullptr, own.input});
  }
  const Agenda agenda(backend, a, layout, 1, !kHasHalves<cell> && !layout.projected);
  const std::int64_t perWorker = 2 * kSlots * (layout.statePadded + layout.padded);
  const bool streams = a.directions * a.rows * layout.width > kStreamed;
  const auto makePass = [&](std::int64_t d, const Share& share, float* h, Term* terms) {
    float* c = h + 2 * kSlots * layout.statePadded;
    Saved saved(a.saved, layout, a.rows, d);
    if (a.saved == nullptr) saved.columns = nullptr;
    const States states{h, h + kSlots * layout.statePadded, c, c + kSlots * layout.padded, streams};
    return ForwardPass<cell>{a, layout, d, share, weights.direction(d), projected(d), saved, states, terms};
  };
  walkAll(backend, a, layout, agenda, false, perWorker, makePass);
}

}  // namespace

template <>
void run(CpuBackend& kernels, const RecurrentForward& a) {
  const Layout layout(a);
  passEmptyThrough(a, layout.state, a.h0, a.hN);
  passEmptyThrough(a, layout.hidden, a.c0, a.cN);
  switch (a.cell) {
    case Cell::lstm:
      return runForward<Cell::lstm>(kernels, a, layout);
    case Cell::gru:
      return runForward<Cell::gru>(kernels, a, layout);
    case Cell::resetFirstGru:
      return runForward<Cell::resetFirstGru>(kernels, a, layout);
    case Cell::elmanTanh:
      return runForward<Cell::elmanTanh>(kernels, a, layout);
    case Cell::elmanRelu:
      return runForward<Cell::elmanRelu>(kernels, a, layout);
  }
}

}  // namespace packed_rnn::PACKED_RNN_ISA
