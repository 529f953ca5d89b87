// A recurrent layer, backward: the recurrence in reverse writes the gradients of all pre-activations over the
// saved columns; then the gradients of the weights and of the input are products over all rows at once.
#include "cpu/recurrent.h"

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
  float* dh;     // [kSlots, Rp]: in h of this step from the next; then in h₋₁
  float* dc;     // [kSlots, Hp]
  float* aside;  // [kSlots, Hp]: in o tanh(c) before a projection; in r h₋₁
  float* delta;  // [kSlots, C]: in the pre-activations
};

// For slot s and the units of block j, given dh, the gradient of the cell's output: the columns' gradients,
// to the token and to `delta`. Returns what of dh reaches h₋₁ around the gates.
template <Cell cell>
PACKED_RNN_INLINE V backwardCell(const Layout& layout, std::int64_t j, int s, const Token& token,
                                 const Gradients& gradients, V dh) {
  constexpr int count = columnsOf(cell).count;
  const int live = layout.live(j);
  float* columns = token.columns + j * count * kLanes;
  float* delta = gradients.delta + s * layout.width + j * count * kLanes;
  const auto put = [&](int column, V gradient) {
    // What is no unit has weights of 0, and a NaN there, from an infinite input, would be one in all that
    // they multiply it into.
    gradient = keepFirst(gradient, live);
    store(columns + column * kLanes, gradient);
    store(delta + column * kLanes, gradient);
  };
  const auto gate = [&](int column) { return load(columns + column * kLanes); };
  if constexpr (cell == Cell::lstm) {
    float* dc = gradients.dc + s * layout.padded + j * kLanes;
    LstmCellBackward<Simd> unit{gate(0), gate(1), gate(2), gate(3), load(dc)};
    unit.backward(load(token.extra + j * kLanes), loadUnits(token.previousC, j, live), dh);
    store(dc, unit.dc);
    put(0, unit.i);
    put(1, unit.f);
    put(2, unit.g);
    put(3, unit.o);
    return V{};
  } else if constexpr (cell == Cell::gru) {
    GruCellBackward<Simd> unit{gate(0), gate(1), gate(2), gate(3), dh};
    unit.backward(loadUnits(token.previousH, j, live));
    put(0, unit.r);
    put(1, unit.z);
    put(2, unit.n);
    put(3, unit.q);
    return unit.dh;
  } else if constexpr (cell == Cell::resetFirstGru) {
    V dZ, dN;
    ResetFirstGruCell<Simd>::backward(gate(1), gate(2), loadUnits(token.previousH, j, live), dh, dZ, dN);
    put(1, dZ);
    put(2, dN);
    // r waits for the gradient of r h₋₁; until then the product must not see what this slot had.
    store(delta, V{});
    return dh;
  } else {
    put(0, ElmanCell<Simd, cell == Cell::elmanRelu>::backward(gate(0), dh));
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
  const Term* weights;       // wHh, packed for delta · wHh; of a reset-first GRU that of r and z
  const Term* resetWeights;  // and that of n
  const Term* projection;    // wHr, packed for dh · wHr
  Saved saved;
  float* dProjected;  // [N, Rp] or null
  Gradients gradients;
  Term* terms;

  const float* initial(const float* from, const Slot& slot, std::int64_t size) const {
    return from == nullptr ? nullptr : from + (direction * a.shape.sequences.count + slot.place) * size;
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
  }

  Token tokenOf(const Slot& slot) const {
    const std::int64_t n = slot.row;
    // The previous token of the forward pass lies one row earlier, or later in the reverse direction.
    const std::int64_t previous = direction == 1 ? n + 1 : n - 1;
    const bool first = slot.left == 1;
    const std::int64_t outputs = a.shape.directions * layout.state;
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
    share.wait();  // until nobody reads `delta` of the step before
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
      slotProduct(projection, layout.state, share.units, gradients.dh, layout.statePadded, terms,
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
    share.wait();  // until all of `delta` is there
    if constexpr (cell == Cell::resetFirstGru) {
      slotProduct(resetWeights, layout.width, share.units, gradients.delta, layout.width, terms,
                  gradients.aside, layout.padded, live, false, nothing);
      share.wait();
      for (int s = 0; s < live; s++) reset(tokens[s], s);
      share.wait();
    }
    Ahead ahead;
    for (int s = 0; s < live; s++) fetch(slots[s], ahead);
    slotProduct(weights, layout.width, share.state, gradients.delta, layout.width, terms, gradients.dh,
                layout.statePadded, live, !layout.projected, ahead);
  }

  // What the next step reads of the sequence's next token.
  void fetch(const Slot& slot, Ahead& ahead) const {
    if (slot.left == 1) return;
    const std::int64_t n = direction == 1 ? slot.row + 1 : slot.row - 1;
    ahead.add(saved.columns + n * layout.width, layout.width);
    // Its own c was read as the c₋₁ of this one, its own h as the h₋₁.
    const std::int64_t before = slot.left == 2 ? n : (direction == 1 ? n + 1 : n - 1);
    if (layout.extra > 0) ahead.add(saved.extra + (layout.hasC ? before : n) * layout.padded, layout.padded);
    const std::int64_t outputs = a.shape.directions * layout.state;
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
      V dR =
          ResetFirstGruCell<Simd>::backwardReset(load(columns), loadUnits(token.previousH, j, layout.live(j)),
                                                 load(gradients.aside + s * layout.padded + j * kLanes), dh);
      dR = keepFirst(dR, layout.live(j));
      store(dhAt, dh);
      store(columns, dR);
      store(gradients.delta + s * layout.width + j * 3 * kLanes, dR);
    }
  }

  void close(const Slot& slot, int s) {
    const std::int64_t place = direction * a.shape.sequences.count + slot.place;
    for (std::int64_t j = share.state.first; a.dH0 != nullptr && j < share.state.end; j++) {
      storeUnits(a.dH0 + place * layout.state, j, layout.liveState(j),
                 load(gradients.dh + s * layout.statePadded + j * kLanes));
    }
    for (std::int64_t j = share.units.first; a.dC0 != nullptr && j < share.units.end; j++) {
      storeUnits(a.dC0 + place * layout.hidden, j, layout.live(j),
                 load(gradients.dc + s * layout.padded + j * kLanes));
    }
  }

  void move(int from, int to) {
    for (std::int64_t i = share.state.first * kLanes; i < share.state.end * kLanes; i++) {
      gradients.dh[to * layout.statePadded + i] = gradients.dh[from * layout.statePadded + i];
    }
    for (std::int64_t i = share.units.first * kLanes; i < share.units.end * kLanes; i++) {
      gradients.dc[to * layout.padded + i] = gradients.dc[from * layout.padded + i];
    }
  }
};

// The packed weights of one direction; see BackwardPass.
struct Panels {
  Term *weights, *resetWeights, *projection;

  static std::int64_t count(const Layout& layout, bool halves) {
    return termsIn(layout.width) * layout.statePadded * (halves ? 2 : 1) +
           termsIn(layout.state) * layout.padded;
  }
  Panels(Term* memory, const RecurrentWeights& given, const Layout& layout, bool halves) {
    weights = memory;
    resetWeights = weights + termsIn(layout.width) * layout.statePadded;
    projection = halves ? resetWeights + termsIn(layout.width) * layout.statePadded : resetWeights;
    // `reset`: of the columns of n alone, or of all others.
    const auto pack = [&](bool reset, Term* to) {
      const auto element = [&](std::int64_t column, std::int64_t unit) {
        const std::int64_t row = layout.parameterRow(column, layout.columns.hidden);
        const bool taken = !halves || (row >= 2 * layout.hidden) == reset;
        return row < 0 || !taken ? 0.0f : given.wHh[row * layout.state + unit];
      };
      packPanels(kPanel, layout.width, layout.stateBlocks, layout.state, element, to);
    };
    pack(false, weights);
    if (halves) pack(true, resetWeights);
    if (!layout.projected) return;
    const auto element = [&](std::int64_t k, std::int64_t unit) {
      return given.wHr[k * layout.hidden + unit];
    };
    packPanels(kPanel, layout.state, layout.blocks, layout.hidden, element, projection);
  }
};

template <Cell cell>
void runBackward(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout,
                 float* const* dProjected) {
  constexpr bool halves = cell == Cell::resetFirstGru;
  const std::int64_t panels = Panels::count(layout, halves);
  const std::int64_t perWorker = kSlots * (layout.statePadded + 2 * layout.padded + layout.width);
  Scratch<Term> memory(backend, a.shape.directions * panels);
  const Panels first(memory, a.weights[0], layout, halves);
  const Panels weights[2] = {
      first, a.shape.directions == 2 ? Panels(memory + panels, a.weights[1], layout, halves) : first};
  const auto makePass = [&](std::int64_t d, const Share& share, float* dh, Term* terms) {
    float* dc = dh + kSlots * layout.statePadded;
    float* aside = dc + kSlots * layout.padded;
    const Panels& own = weights[d];
    return BackwardPass<cell>{a,
                              layout,
                              d,
                              share,
                              own.weights,
                              own.resetWeights,
                              own.projection,
                              Saved(a.saved, layout, a.shape.rows, d),
                              dProjected[d],
                              {dh, dc, aside, aside + kSlots * layout.padded},
                              terms};
  };
  walkAll(backend, a.shape, layout, true, perWorker, makePass);
}

// From [width, C], columns in their order, to a parameter's [G·H, width]; `gate` says which columns are its
// own.
void unpackRows(const float* packed, const Layout& layout, const int* gate, std::int64_t width,
                float* parameter) {
  for (std::int64_t column = 0; column < layout.width; column++) {
    const std::int64_t row = layout.parameterRow(column, gate);
    if (row < 0) continue;
    for (std::int64_t i = 0; i < width; i++) parameter[row * width + i] = packed[i * layout.width + column];
  }
}

// dwHh = Σ delta[n] ⊗ h before token n: the output one row earlier in the walk, or h0 at a sequence's first
// token. The gate n of a reset-first GRU was given r h₋₁ instead.
void recurrentWeightGradient(CpuBackend& backend, const RecurrentBackward& a, const Layout& layout,
                             std::int64_t direction, const Saved& saved, float* gradient) {
  const Sequences& sequences = a.shape.sequences;
  const std::int64_t rows = a.shape.rows;
  Scratch<std::int32_t> before(backend, larger(1, rows));
  Scratch<std::int32_t> firsts(backend, larger(1, sequences.count));
  Scratch<std::int32_t> states(backend, larger(1, sequences.count));  // the state of an empty one is not read
  for (std::int64_t b = 0; b < sequences.count; b++) {
    const std::int32_t begin = sequences.offsets[b];
    const std::int32_t end = sequences.offsets[b + 1];
    firsts[b] = begin == end ? -1 : (direction == 1 ? end - 1 : begin);
    states[b] = begin == end ? -1 : static_cast<std::int32_t>(b);
    for (std::int32_t n = begin; n < end; n++)
      before[n] = n == firsts[b] ? -1 : (direction == 1 ? n + 1 : n - 1);
  }
  const Operand deltas{saved.columns, layout.width, nullptr, false};
  const Operand outputs{a.output + direction * layout.state, a.shape.directions * layout.state, before, true};
  Scratch<float> packed(backend, layout.width * layout.state);
  const auto product = [&](std::int64_t k, const Operand& x, const Operand& y, bool accumulate) {
    gemm(backend, {layout.state, layout.width, k, x, y, packed, layout.width, nullptr, accumulate, nullptr});
  };
  product(rows, outputs, deltas, false);
  if (a.h0 != nullptr) {
    product(sequences.count, {a.h0 + direction * sequences.count * layout.state, layout.state, states, true},
            {saved.columns, layout.width, firsts, false}, true);
  }
  unpackRows(packed, layout, layout.columns.hidden, layout.state, gradient);
  if (a.shape.cell != Cell::resetFirstGru) return;
  product(rows, {saved.extra, layout.padded, nullptr, true}, deltas, false);
  const int onlyN[4] = {-1, -1, 2};
  unpackRows(packed, layout, onlyN, layout.state, gradient);
}

void weightGradients(Kernels& backend, const RecurrentBackward& a, const Layout& layout, std::int64_t d,
                     const float* dProjected) {
  const std::int64_t inputs = a.shape.inputSize;
  const std::int64_t rows = a.shape.rows;
  const std::int64_t distinct = a.shape.distinctRows;
  const RecurrentGradients& gradients = a.gradients[d];
  const Saved saved(a.saved, layout, rows, d);
  if (gradients.wHh != nullptr) recurrentWeightGradient(backend, a, layout, d, saved, gradients.wHh);
  if (gradients.wHr != nullptr) {
    gemm(backend, {layout.state, layout.hidden, rows, Operand{dProjected, layout.statePadded, nullptr, true},
                   Operand{saved.unprojected, layout.padded, nullptr, false}, gradients.wHr, layout.hidden,
                   nullptr, false, nullptr});
  }
  // From here on a distinct row counts once, with the sum of the gradients of all its places.
  const bool indexed = a.shape.index.index != nullptr;
  Scratch<float> sums(backend, indexed ? distinct * layout.width : 0);
  const float* deltas = saved.columns;
  if (indexed) {
    backend.sumRows({distinct, layout.width, deltas, a.shape.index.starts, a.shape.index.order, sums});
    deltas = sums;
  }
  Scratch<float> packed(backend, layout.width * inputs);
  Scratch<float> bias(backend, layout.width);
  if (gradients.wIh != nullptr) {
    gemm(backend,
         {inputs, layout.width, distinct, Operand{a.x, inputs, nullptr, true},
          Operand{deltas, layout.width, nullptr, false}, packed, layout.width, nullptr, false, bias});
    unpackRows(packed, layout, layout.columns.input, inputs, gradients.wIh);
  } else if (gradients.bIh != nullptr || gradients.bHh != nullptr) {
    sumColumns(backend, deltas, distinct, layout.width, layout.width, bias);
  }
  if (gradients.bIh != nullptr) unpackRows(bias, layout, layout.columns.input, 1, gradients.bIh);
  if (gradients.bHh != nullptr) unpackRows(bias, layout, layout.columns.hidden, 1, gradients.bHh);
  if (a.dX != nullptr) {
    packInputWeights(a.weights[d], layout, inputs, packed, nullptr);
    gemm(backend, {distinct, inputs, layout.width, Operand{deltas, layout.width, nullptr, false},
                   Operand{packed, inputs, nullptr, false}, a.dX, inputs, nullptr, d > 0, nullptr});
  }
}

}  // namespace

void Kernels::recurrentBackward(const RecurrentBackward& a) {
  const Layout layout(a.shape);
  const std::int64_t projectedRows = layout.projected ? a.shape.rows * layout.statePadded : 0;
  Scratch<float> projectedMemory(*this, a.shape.directions * projectedRows);
  float* dProjected[2] = {};
  for (std::int64_t d = 0; layout.projected && d < a.shape.directions; d++) {
    dProjected[d] = projectedMemory + d * projectedRows;
  }
  passEmptyThrough(a.shape, layout.state, a.dHN, a.dH0);
  passEmptyThrough(a.shape, layout.hidden, a.dCN, a.dC0);
  switch (a.shape.cell) {
    case Cell::lstm:
      runBackward<Cell::lstm>(*this, a, layout, dProjected);
      break;
    case Cell::gru:
      runBackward<Cell::gru>(*this, a, layout, dProjected);
      break;
    case Cell::resetFirstGru:
      runBackward<Cell::resetFirstGru>(*this, a, layout, dProjected);
      break;
    case Cell::elmanTanh:
      runBackward<Cell::elmanTanh>(*this, a, layout, dProjected);
      break;
    case Cell::elmanRelu:
      runBackward<Cell::elmanRelu>(*this, a, layout, dProjected);
      break;
  }
  for (std::int64_t d = 0; d < a.shape.directions; d++) weightGradients(*this, a, layout, d, dProjected[d]);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
