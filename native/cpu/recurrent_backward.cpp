// A recurrent layer, backward. The recurrence in reverse writes the gradients of all pre-activations over the
// saved columns. Then the gradients of the weights and of the input are products over all rows at once. The
// walk of a sequence ends when its gradient has vanished, and the products skip its other rows: see live.h.
#include "cpu/live.h"
#include "cpu/recurrent_weights.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// One sequence at one token.
struct Token {
  float* columns;          // [C]: gates in, gradients of the pre-activations out
  const float* extra;      // [Hp]: c, or r h₋₁
  const float* previousC;  // [H] or [Hp]: c₋₁, or null for zeros
  const float* previousH;  // [R]: h₋₁, or null for zeros
  const float* dOutput;    // [R], or null for zeros
  float* dProjected;       // [Rp]: dh, saved for the gradient of a projection, or null
};

// The gradients of a worker's slots.
struct Gradients {
  float* dh;     // [kSlots, Rp]: of this step's h, from the next step; then of h₋₁
  float* dc;     // [kSlots, Hp]
  float* aside;  // [kSlots, Hp]: of o tanh(c) before a projection; of r h₋₁
  float* delta;  // [kSlots, C]: of the pre-activations
};

// For slot s and the units of block j, given dh, the gradient of the cell's output: writes the columns'
// gradients to the token and to `delta`. Returns the part of dh that reaches h₋₁ around the gates.
template <Cell cell>
PACKED_RNN_INLINE V backwardCell(const Layout& layout, std::int64_t j, int s, const Token& token,
                                 const Gradients& gradients, V dh) {
  constexpr int count = columnsOf(cell).count;
  const int live = layout.live(j);
  float* columns = token.columns + j * count * kLanes;
  float* delta = gradients.delta + s * layout.width + j * count * kLanes;
  const auto put = [&](int column, V gradient) {
    // Padding units have weights of 0. A NaN there, from an infinite input, would make every product with
    // them NaN.
    gradient = keepFirst(gradient, live);
    store(columns + column * kLanes, gradient);
    store(delta + column * kLanes, gradient);
  };
  const auto gate = [&](int column) { return load(columns + column * kLanes); };
  if constexpr (cell == Cell::lstm) {
    float* dc = gradients.dc + s * layout.padded + j * kLanes;
    LstmCellBackward<Gates> unit{gate(0), gate(1), gate(2), gate(3), load(dc)};
    unit.backward(load(token.extra + j * kLanes), loadUnits(token.previousC, j, live), dh);
    store(dc, unit.dc);
    put(0, unit.i);
    put(1, unit.f);
    put(2, unit.g);
    put(3, unit.o);
    return V{};
  } else if constexpr (cell == Cell::gru) {
    GruCellBackward<Gates> unit{gate(0), gate(1), gate(2), gate(3), dh};
    unit.backward(loadUnits(token.previousH, j, live));
    put(0, unit.r);
    put(1, unit.z);
    put(2, unit.n);
    put(3, unit.q);
    return unit.dh;
  } else if constexpr (cell == Cell::resetFirstGru) {
    V dZ, dN;
    ResetFirstGruCell<Gates>::backward(gate(1), gate(2), loadUnits(token.previousH, j, live), dh, dZ, dN);
    put(1, dZ);
    put(2, dN);
    // r waits for the gradient of r h₋₁; until then the product must not read this slot's previous value.
    store(delta, V{});
    return dh;
  } else {
    put(0, ElmanCell<Gates, cell == Cell::elmanRelu>::backward(gate(0), dh));
    return V{};
  }
}

// One worker in one direction; see walk().
template <Cell cell>
struct BackwardPass {
  const RecurrentBackward& a;
  const Layout& layout;
  std::int64_t direction;
  Share share;
  const BackwardWeights::Direction& weights;
  Saved saved;
  float* dProjected;  // [N, Rp] or null
  Walked* walked;     // null: all tokens are walked
  Gradients gradients;
  Term* terms;
  std::int64_t reach[kSlots] = {};  // tokens of a slot's walk up to the last one whose output has a gradient

  const float* initial(const float* from, const Slot& slot, std::int64_t size) const {
    return from == nullptr ? nullptr : from + (direction * a.sequences.count + slot.place) * size;
  }

  void open(const Slot& slot, int s) {
    const float* dHN = initial(a.dHN, slot, layout.state);
    for (std::int64_t j = share.state.first; j < share.state.end; j++) {
      store(gradients.dh + s * layout.statePadded + j * kLanes, loadUnits(dHN, j, layout.liveState(j)));
    }
    const float* dCN = initial(a.dCN, slot, layout.hidden);
    for (std::int64_t j = share.units.first; j < share.units.end; j++) {
      store(gradients.dc + s * layout.padded + j * kLanes, loadUnits(dCN, j, layout.live(j)));
    }
    if (walked != nullptr) reach[s] = walked->reach(slot.place, direction, a.dOutput);
  }

  // Whether all remaining gradients would be zeros.
  bool ended(const Slot& slot, int s) const {
    return walked != nullptr && walked->length(slot.place) - slot.left >= reach[s] &&
           allZero(gradients.dh + s * layout.statePadded, layout.statePadded) &&
           (!layout.hasC || allZero(gradients.dc + s * layout.padded, layout.padded));
  }

  Token tokenOf(const Slot& slot) const {
    const std::int64_t n = slot.row;
    // The previous token of the forward pass is one row earlier, or one row later in the reverse direction.
    const std::int64_t previous = direction == 1 ? n + 1 : n - 1;
    const bool first = slot.left == 1;
    const std::int64_t outputs = a.directions * layout.state;
    const std::int64_t half = direction * layout.state;
    const float* previousC = nullptr;
    if (layout.hasC)
      previousC = first ? initial(a.c0, slot, layout.hidden) : saved.extra + previous * layout.padded;
    return {saved.columns + n * layout.width,
            saved.extra + n * layout.padded,
            previousC,
            first ? initial(a.h0, slot, layout.state) : a.output + previous * outputs + half,
            a.dOutput == nullptr ? nullptr : a.dOutput + n * outputs + half,
            dProjected == nullptr ? nullptr : dProjected + n * layout.statePadded};
  }

  void step(const Slot* slots, int live) {
    Token tokens[kSlots];
    Ahead nothing;
    share.wait();  // until no worker reads the previous step's `delta`
    for (int s = 0; s < live; s++) {
      tokens[s] = tokenOf(slots[s]);
      float* dh = gradients.dh + s * layout.statePadded;
      for (std::int64_t j = share.state.first; j < share.state.end; j++) {
        const V total = load(dh + j * kLanes) + loadUnits(tokens[s].dOutput, j, layout.liveState(j));
        store(dh + j * kLanes, total);
        if (tokens[s].dProjected != nullptr) store(tokens[s].dProjected + j * kLanes, total);
      }
    }
    if (layout.projected) {
      share.wait();
      slotProduct(weights.projection, layout.state, share.units, gradients.dh, layout.statePadded, terms,
                  gradients.aside, layout.padded, live, false, nothing);
    }
    for (int s = 0; s < live; s++) {
      for (std::int64_t j = share.units.first; j < share.units.end; j++) {
        float* dh = gradients.dh + s * layout.statePadded + j * kLanes;
        const float* own = layout.projected ? gradients.aside + s * layout.padded + j * kLanes : dh;
        const V around = backwardCell<cell>(layout, j, s, tokens[s], gradients, load(own));
        if (!layout.projected) store(dh, around);
      }
    }
    share.wait();  // until `delta` is complete
    if constexpr (cell == Cell::resetFirstGru) {
      slotProduct(weights.reset, layout.width, share.units, gradients.delta, layout.width, terms,
                  gradients.aside, layout.padded, live, false, nothing);
      share.wait();
      for (int s = 0; s < live; s++) reset(tokens[s], s);
      share.wait();
    }
    Ahead ahead;
    for (int s = 0; s < live; s++) fetch(slots[s], ahead);
    slotProduct(weights.recurrent, layout.width, share.state, gradients.delta, layout.width, terms,
                gradients.dh, layout.statePadded, live, !layout.projected, ahead);
  }

  // Prefetches what the next step reads of the sequence's next token.
  void fetch(const Slot& slot, Ahead& ahead) const {
    if (slot.left == 1) return;
    const std::int64_t n = direction == 1 ? slot.row + 1 : slot.row - 1;
    ahead.add(saved.columns + n * layout.width, layout.width);
    // This step has already read the next token's c as c₋₁ and its h as h₋₁.
    const std::int64_t before = slot.left == 2 ? n : (direction == 1 ? n + 1 : n - 1);
    if (layout.extra > 0) ahead.add(saved.extra + (layout.hasC ? before : n) * layout.padded, layout.padded);
    const std::int64_t outputs = a.directions * layout.state;
    const std::int64_t half = direction * layout.state;
    if (a.dOutput != nullptr) ahead.add(a.dOutput + n * outputs + half, layout.state);
    if (!layout.hasC) ahead.add(a.output + before * outputs + half, layout.state);
  }

  // The half of a reset-first GRU that needs the gradient of r h₋₁.
  void reset(const Token& token, int s) {
    for (std::int64_t j = share.units.first; j < share.units.end; j++) {
      float* columns = token.columns + j * 3 * kLanes;
      float* dhAt = gradients.dh + s * layout.statePadded + j * kLanes;
      V dh = load(dhAt);
      V dR = ResetFirstGruCell<Gates>::backwardReset(
          load(columns), loadUnits(token.previousH, j, layout.live(j)),
          load(gradients.aside + s * layout.padded + j * kLanes), dh);
      dR = keepFirst(dR, layout.live(j));
      store(dhAt, dh);
      store(columns, dR);
      store(gradients.delta + s * layout.width + j * 3 * kLanes, dR);
    }
  }

  void close(const Slot& slot, int s) {
    if (walked != nullptr) walked->end(slot.place, direction, slot.left);
    const std::int64_t place = direction * a.sequences.count + slot.place;
    // With 0 added, a 0 has the same sign wherever the walk ended.
    for (std::int64_t j = share.state.first; a.dH0 != nullptr && j < share.state.end; j++) {
      storeUnits(a.dH0 + place * layout.state, j, layout.liveState(j),
                 load(gradients.dh + s * layout.statePadded + j * kLanes) + V{});
    }
    for (std::int64_t j = share.units.first; a.dC0 != nullptr && j < share.units.end; j++) {
      storeUnits(a.dC0 + place * layout.hidden, j, layout.live(j),
                 load(gradients.dc + s * layout.padded + j * kLanes) + V{});
    }
  }

  void move(int from, int to) {
    for (std::int64_t i = share.state.first * kLanes; i < share.state.end * kLanes; i++) {
      gradients.dh[to * layout.statePadded + i] = gradients.dh[from * layout.statePadded + i];
    }
    for (std::int64_t i = share.units.first * kLanes; i < share.units.end * kLanes; i++) {
      gradients.dc[to * layout.padded + i] = gradients.dc[from * layout.padded + i];
    }
    reach[to] = reach[from];
  }
};

// Returns `walked` if walks may have ended early, otherwise null.
template <Cell cell>
Walked* runBackward(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout,
                    const BackwardWeights& weights, float* const* dProjected, Walked* walked) {
  const Agenda agenda(backend, a, layout, kTileVectors, false);
  const std::int64_t perWorker = kSlots * (layout.statePadded + 2 * layout.padded + layout.width);
  // In the second path no worker sees the whole of dh at the end of a step.
  if (agenda.path() != Agenda::Path::sequences) walked = nullptr;
  const auto makePass = [&](std::int64_t d, const Share& share, float* dh, Term* terms) {
    float* dc = dh + kSlots * layout.statePadded;
    float* aside = dc + kSlots * layout.padded;
    return BackwardPass<cell>{a,
                              layout,
                              d,
                              share,
                              weights.direction(d),
                              Saved(a.saved, layout, a.rows, d),
                              dProjected[d],
                              walked,
                              {dh, dc, aside, aside + kSlots * layout.padded},
                              terms};
  };
  walkAll(backend, a, layout, agenda, true, perWorker, makePass);
  return walked;
}

// dwHh = Σ delta[n] ⊗ h before token n. That h is the output one row earlier in the walk, or h0 at a
// sequence's first token. For the gate n of a reset-first GRU it is r h₋₁.
void recurrentWeightGradient(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout,
                             std::int64_t direction, const Saved& saved, const LiveRows& tokens,
                             float* gradient) {
  const Sequences& sequences = a.sequences;
  const std::int64_t rows = a.rows;
  Scratch<std::int32_t> before(backend, larger(1, rows));
  Scratch<std::int32_t> firsts(backend, larger(1, sequences.count));
  // The state of an empty sequence, or of one whose walk ended before its first token, is not read.
  Scratch<std::int32_t> states(backend, larger(1, sequences.count));
  auto list = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; b++) {
      const std::int32_t begin = sequences.offsets[b];
      const std::int32_t end = sequences.offsets[b + 1];
      const std::int32_t first = direction == 1 ? end - 1 : begin;
      const bool counts = begin != end && (tokens.flags() == nullptr || tokens.flags()[first] != 0);
      firsts[b] = counts ? first : -1;
      states[b] = counts ? static_cast<std::int32_t>(b) : -1;
      for (std::int32_t n = begin; n < end; n++)
        before[n] = n == first ? -1 : (direction == 1 ? n + 1 : n - 1);
    }
  };
  parallelChunks(backend, sequences.count, kSequencesOfTask, list);
  const Operand deltas{saved.columns, layout.width, nullptr, false};
  const Operand outputs{a.output + direction * layout.state, a.directions * layout.state, before, true};
  Scratch<float> packed(backend, layout.width * layout.state);
  const auto product = [&](std::int64_t k, const Operand& x, const Operand& y, bool accumulate,
                           const Live& of) {
    gemm(backend, {layout.state, layout.width, k, x, y, packed, layout.width, nullptr, accumulate, nullptr,
                   nullptr, of});
  };
  product(rows, outputs, deltas, false, tokens.live());
  if (a.h0 != nullptr) {
    product(sequences.count, {a.h0 + direction * sequences.count * layout.state, layout.state, states, true},
            {saved.columns, layout.width, firsts, false}, true, kAllLive);
  }
  unpackColumns(backend, packed, layout, layout.columns.hidden, layout.state, gradient);
  if (a.cell != Cell::resetFirstGru) return;
  product(rows, {saved.extra, layout.padded, nullptr, true}, deltas, false, tokens.live());
  const int onlyN[4] = {-1, -1, 2, -1};
  unpackColumns(backend, packed, layout, onlyN, layout.state, gradient);
}

void weightGradients(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout, std::int64_t d,
                     const BackwardWeights& weights, float* dProjected, const Walked* walked) {
  const std::int64_t inputs = a.inputSize;
  const std::int64_t rows = a.rows;
  const std::int64_t distinct = a.distinctRows;
  const RecurrentGradients& gradients = a.gradients[d];
  const Saved saved(a.saved, layout, rows, d);
  const LiveRows tokens(backend, walked, rows, d);
  tokens.clearFillers(saved.columns, layout.width);
  if (gradients.wHh != nullptr) recurrentWeightGradient(backend, a, layout, d, saved, tokens, gradients.wHh);
  if (gradients.wHr != nullptr) {
    tokens.clearFillers(dProjected, layout.statePadded);
    gemm(backend, {layout.state, layout.hidden, rows, Operand{dProjected, layout.statePadded, nullptr, true},
                   Operand{saved.unprojected, layout.padded, nullptr, false}, gradients.wHr, layout.hidden,
                   nullptr, false, nullptr, nullptr, tokens.live()});
  }
  // From here on a distinct row counts once, with the sum of the gradients of all its places.
  const RowIndex index = a.rowIndex();
  const bool indexed = index.index != nullptr;
  Scratch<float> sums(backend, indexed ? distinct * layout.width : 0);
  const float* deltas = indexed ? sums : saved.columns;
  const LiveRows words(backend, tokens, index, distinct);
  const Live live = indexed ? words.live() : tokens.live();
  if (indexed) {
    PACKED_RNN_PLAIN::sumRows(backend,
                              {distinct, layout.width, rows, saved.columns, index.starts, index.order, sums},
                              tokens.flags());
  }
  Scratch<float> packed(backend, layout.width * inputs);
  Scratch<float> bias(backend, layout.width);
  if (gradients.wIh != nullptr) {
    gemm(backend, {inputs, layout.width, distinct, Operand{a.x, inputs, nullptr, true},
                   Operand{deltas, layout.width, nullptr, false}, packed, layout.width, nullptr, false, bias,
                   nullptr, live});
    unpackColumns(backend, packed, layout, layout.columns.input, inputs, gradients.wIh);
  } else if (gradients.bIh != nullptr || gradients.bHh != nullptr) {
    PACKED_RNN_PLAIN::sumColumns(backend, deltas, live, distinct, layout.width, layout.width, bias);
  }
  if (gradients.bIh != nullptr) unpackColumns(backend, bias, layout, layout.columns.input, 1, gradients.bIh);
  if (gradients.bHh != nullptr) unpackColumns(backend, bias, layout, layout.columns.hidden, 1, gradients.bHh);
  if (a.dX != nullptr) {
    gemm(backend, {distinct, inputs, layout.width, Operand{deltas, layout.width, nullptr, false}, Operand{},
                   a.dX, inputs, nullptr, d > 0, nullptr, weights.direction(d).input, live});
  }
}

}  // namespace

template <>
void run(CpuBackend& kernels, const RecurrentBackward& a) {
  const Layout layout(a);
  const bool halves = a.cell == Cell::resetFirstGru, wantsInput = a.dX != nullptr;
  Held<BackwardWeights> held(a.kept);
  const BackwardWeights* found = held.get();
  const BackwardWeights& weights =
      found != nullptr && (found->hasInput() || !wantsInput)
          ? *found
          : held.keep(new BackwardWeights(kernels, a, layout, a.weights.at, halves, wantsInput));
  const std::int64_t projectedRows = layout.projected ? a.rows * layout.statePadded : 0;
  Scratch<float> projectedMemory(kernels, a.directions * projectedRows);
  float* dProjected[2] = {};
  for (std::int64_t d = 0; layout.projected && d < a.directions; d++) {
    dProjected[d] = projectedMemory + d * projectedRows;
  }
  passEmptyThrough(a, layout.state, a.dHN, a.dH0);
  passEmptyThrough(a, layout.hidden, a.dCN, a.dC0);
  Walked memory(kernels, a);
  Walked* walked = vanishes(kernels, a, layout) ? &memory : nullptr;
  switch (a.cell) {
    case Cell::lstm:
      walked = runBackward<Cell::lstm>(kernels, a, layout, weights, dProjected, walked);
      break;
    case Cell::gru:
      walked = runBackward<Cell::gru>(kernels, a, layout, weights, dProjected, walked);
      break;
    case Cell::resetFirstGru:
      walked = runBackward<Cell::resetFirstGru>(kernels, a, layout, weights, dProjected, walked);
      break;
    case Cell::elmanTanh:
      walked = runBackward<Cell::elmanTanh>(kernels, a, layout, weights, dProjected, walked);
      break;
    case Cell::elmanRelu:
      walked = runBackward<Cell::elmanRelu>(kernels, a, layout, weights, dProjected, walked);
      break;
  }
  for (std::int64_t d = 0; d < a.directions; d++)
    weightGradients(kernels, a, layout, d, weights, dProjected[d], walked);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
