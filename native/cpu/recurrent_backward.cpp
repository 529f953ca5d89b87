// The LSTM layer, backward: the recurrence in reverse writes the gradients of all gate pre-activations over
// the saved gates; then the gradients of the weights and of the input are products over all rows at once.
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr int kWide = 4;  // vectors of units in one tile

// wHh for dh = delta · wHh: blocks of kWide vectors of units (the last may be narrower), each [G][width].
void packTransposed(const LstmWeights& weights, const Layout& layout, float* packed) {
  for (std::int64_t first = 0; first < layout.padded; first += kWide * kLanes) {
    const std::int64_t width = smaller(kWide * kLanes, layout.padded - first);
    for (std::int64_t column = 0; column < layout.gates; column++, packed += width) {
      const std::int64_t row = layout.parameterRow(column);
      for (std::int64_t i = 0; i < width; i++) {
        const std::int64_t unit = first + i;
        packed[i] = row < 0 || unit >= layout.hidden ? 0.0f : weights.wHh[row * layout.hidden + unit];
      }
    }
  }
}

// dh [R, width] = delta [R, G] · w [G, width], width = NV vectors
template <int R, int NV>
__attribute__((noinline)) void stateTile(const float* w, const Layout& layout, const float* delta,
                                         float* dh) {
  V acc[R][NV] = {};
  for (std::int64_t k = 0; k < layout.gates; k++, w += NV * kLanes) {
    V panel[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) panel[v] = load(w + v * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
      const V x = splat(delta[r * layout.gates + k]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[r][v] = fma(x, panel[v], acc[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) store(dh + r * layout.padded + v * kLanes, acc[r][v]);
}

template <int R>
void stateTiles(const float* w, const Layout& layout, const float* delta, float* dh) {
  std::int64_t j = 0;
  for (; j + kWide <= layout.blocks; j += kWide, w += layout.gates * kWide * kLanes) {
    stateTile<R, kWide>(w, layout, delta, dh + j * kLanes);
  }
  switch (layout.blocks - j) {
    case 1:
      stateTile<R, 1>(w, layout, delta, dh + j * kLanes);
      break;
    case 2:
      stateTile<R, 2>(w, layout, delta, dh + j * kLanes);
      break;
    case 3:
      stateTile<R, 3>(w, layout, delta, dh + j * kLanes);
      break;
    default:
      break;
  }
}

// One worker in one direction; see walk().
struct BackwardPass {
  const LstmBackward& a;
  const Layout& layout;
  std::int64_t direction;
  const float* weights;  // packTransposed
  Saved saved;
  float *dh, *dc;  // [kSlots, Hp]
  float* delta;    // [kSlots, G]

  std::int64_t state(const Slot& slot) const {
    return (direction * a.shape.sequences.count + slot.place) * layout.hidden;
  }
  const float* initial(const float* states, const Slot& slot) const {
    return states == nullptr ? nullptr : states + state(slot);
  }

  void open(const Slot& slot, int s) {
    for (std::int64_t j = 0; j < layout.blocks; j++) {
      const int live = layout.live(j);
      store(dh + s * layout.padded + j * kLanes, loadUnits(initial(a.dHN, slot), j, live));
      store(dc + s * layout.padded + j * kLanes, loadUnits(initial(a.dCN, slot), j, live));
    }
  }

  void cell(const Slot& slot, int s) {
    const std::int64_t n = slot.row;
    const bool first = slot.left == 1;
    float* gates = saved.gates + n * layout.gates;
    const float* c = saved.cells + n * layout.padded;
    // The previous token of the forward pass lies one row earlier, or later in the reverse direction.
    const float* previous = c + (direction == 1 ? layout.padded : -layout.padded);
    const float* c0 = initial(a.c0, slot);
    const float* dOutput =
        a.dOutput == nullptr ? nullptr
                             : a.dOutput + n * a.shape.directions * layout.hidden + direction * layout.hidden;
    for (std::int64_t j = 0; j < layout.blocks; j++, gates += kGateVectors) {
      const int live = layout.live(j);
      const std::int64_t at = s * layout.padded + j * kLanes;
      const V previousC = first ? loadUnits(c0, j, live) : load(previous + j * kLanes);
      const V dhTotal = load(dh + at) + loadUnits(dOutput, j, live);
      LstmCellBackward<Simd> unit{load(gates), load(gates + kLanes), load(gates + 2 * kLanes),
                                  load(gates + 3 * kLanes), load(dc + at)};
      unit.backward(load(c + j * kLanes), previousC, dhTotal);
      store(dc + at, unit.dc);
      float* to = delta + s * layout.gates + j * kGateVectors;
      const V deltas[4] = {unit.i, unit.f, unit.g, unit.o};
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) {
        store(gates + q * kLanes, deltas[q]);
        store(to + q * kLanes, deltas[q]);
      }
    }
  }

  void step(const Slot* slots, int live) {
    for (int s = 0; s < live; s++) cell(slots[s], s);
    for (int s = 0; s < live; s += kSlotRows) {
      const float* from = delta + s * layout.gates;
      float* to = dh + s * layout.padded;
      switch (smaller(kSlotRows, live - s)) {
        case 1:
          stateTiles<1>(weights, layout, from, to);
          break;
        case 2:
          stateTiles<2>(weights, layout, from, to);
          break;
        case 3:
          stateTiles<3>(weights, layout, from, to);
          break;
        case 4:
          stateTiles<4>(weights, layout, from, to);
          break;
        case 5:
          stateTiles<5>(weights, layout, from, to);
          break;
        default:
          stateTiles<6>(weights, layout, from, to);
          break;
      }
    }
  }

  void close(const Slot& slot, int s) {
    for (std::int64_t j = 0; j < layout.blocks; j++) {
      const std::int64_t at = s * layout.padded + j * kLanes;
      if (a.dH0 != nullptr) storeUnits(a.dH0 + state(slot), j, layout.live(j), load(dh + at));
      if (a.dC0 != nullptr) storeUnits(a.dC0 + state(slot), j, layout.live(j), load(dc + at));
    }
  }

  void move(int from, int to) {
    for (std::int64_t i = 0; i < layout.padded; i++) {
      dh[to * layout.padded + i] = dh[from * layout.padded + i];
      dc[to * layout.padded + i] = dc[from * layout.padded + i];
    }
  }
};

void passEmptyThrough(const LstmBackward& a) {
  const Sequences& sequences = a.shape.sequences;
  for (std::int64_t row = 0; row < a.shape.directions * sequences.count; row++) {
    const std::int64_t b = row % sequences.count;
    if (sequences.offsets[b] != sequences.offsets[b + 1]) continue;
    for (std::int64_t i = row * a.shape.hiddenSize; i < (row + 1) * a.shape.hiddenSize; i++) {
      if (a.dH0 != nullptr) a.dH0[i] = a.dHN == nullptr ? 0.0f : a.dHN[i];
      if (a.dC0 != nullptr) a.dC0[i] = a.dCN == nullptr ? 0.0f : a.dCN[i];
    }
  }
}

// From column order [G, width] to a parameter's [4H, width].
void unpackRows(const float* packed, const Layout& layout, std::int64_t width, float* parameter) {
  for (std::int64_t column = 0; column < layout.gates; column++) {
    const std::int64_t row = layout.parameterRow(column);
    if (row < 0) continue;
    for (std::int64_t i = 0; i < width; i++) parameter[row * width + i] = packed[column * width + i];
  }
}

// dwHh = Σ delta[n] ⊗ h before token n: the output one row earlier in the walk, or h0 at a sequence's first
// token.
void recurrentWeightGradient(CpuBackend& backend, const LstmBackward& a, const Layout& layout,
                             std::int64_t direction, const float* deltas, float* gradient) {
  const Sequences& sequences = a.shape.sequences;
  const std::int64_t rows = a.shape.rows;
  Scratch<std::int32_t> before(backend, larger(1, rows));
  Scratch<std::int32_t> firsts(backend, larger(1, sequences.count));
  for (std::int64_t b = 0; b < sequences.count; b++) {
    const std::int32_t begin = sequences.offsets[b];
    const std::int32_t end = sequences.offsets[b + 1];
    firsts[b] = begin == end ? -1 : (direction == 1 ? end - 1 : begin);
    for (std::int32_t n = begin; n < end; n++)
      before[n] = n == firsts[b] ? -1 : (direction == 1 ? n + 1 : n - 1);
  }
  Scratch<float> packed(backend, layout.gates * layout.hidden);
  gemm(backend,
       {layout.gates, layout.hidden, rows, Operand{deltas, layout.gates, nullptr, true},
        Operand{a.output + direction * layout.hidden, a.shape.directions * layout.hidden, before, false},
        packed, layout.hidden, nullptr, false});
  if (a.h0 != nullptr) {
    gemm(backend, {layout.gates, layout.hidden, sequences.count, Operand{deltas, layout.gates, firsts, true},
                   Operand{a.h0 + direction * sequences.count * layout.hidden, layout.hidden, nullptr, false},
                   packed, layout.hidden, nullptr, true});
  }
  unpackRows(packed, layout, layout.hidden, gradient);
}

}  // namespace

void Kernels::lstmBackward(const LstmBackward& a) {
  const Layout layout(a.shape.hiddenSize);
  const std::int64_t inputs = a.shape.inputSize;
  const std::int64_t rows = a.shape.rows;
  const std::int64_t distinct = a.shape.distinctRows;
  const std::int64_t panel = layout.gates * layout.padded;
  const std::int64_t state = kSlots * (2 * layout.padded + layout.gates);
  {
    Scratch<float> weights(*this, a.shape.directions * panel);
    Scratch<float> states(*this, team().size() * state);
    for (std::int64_t d = 0; d < a.shape.directions; d++)
      packTransposed(a.weights[d], layout, weights + d * panel);
    passEmptyThrough(a);
    Agenda agenda(*this, a.shape);
    walkAll(*this, a.shape.directions, [&](std::int64_t d, int worker) {
      float* dh = states + worker * state;
      BackwardPass pass{a,
                        layout,
                        d,
                        weights + d * panel,
                        Saved(a.saved, layout, rows, d),
                        dh,
                        dh + kSlots * layout.padded,
                        dh + 2 * kSlots * layout.padded};
      walk(agenda, d, true, pass);
    });
  }
  Scratch<float> inputWeights(*this, layout.gates * inputs);
  Scratch<float> packed(*this, layout.gates * inputs);
  Scratch<float> bias(*this, layout.gates);
  const bool indexed = a.shape.index.index != nullptr;
  Scratch<float> sums(*this, indexed ? distinct * layout.gates : 0);
  for (std::int64_t d = 0; d < a.shape.directions; d++) {
    float* deltas = Saved(a.saved, layout, rows, d).gates;
    const LstmGradients& gradients = a.gradients[d];
    if (gradients.wHh != nullptr) recurrentWeightGradient(*this, a, layout, d, deltas, gradients.wHh);
    // From here on a distinct row counts once, with the sum of the gradients of all its places.
    if (indexed) {
      sumRows({distinct, layout.gates, deltas, a.shape.index.starts, a.shape.index.order, sums});
      deltas = sums;
    }
    if (gradients.wIh != nullptr) {
      gemm(*this, {layout.gates, inputs, distinct, Operand{deltas, layout.gates, nullptr, true},
                   Operand{a.x, inputs, nullptr, false}, packed, inputs, nullptr, false});
      unpackRows(packed, layout, inputs, gradients.wIh);
    }
    if (gradients.bIh != nullptr || gradients.bHh != nullptr) {
      PACKED_RNN_ISA::sumColumns(*this, deltas, distinct, layout.gates, layout.gates, bias, false);
      if (gradients.bIh != nullptr) unpackRows(bias, layout, 1, gradients.bIh);
      if (gradients.bHh != nullptr) unpackRows(bias, layout, 1, gradients.bHh);
    }
    if (a.dX != nullptr) {
      packInputWeights(a.weights[d], layout, inputs, inputWeights, nullptr);
      gemm(*this, {distinct, inputs, layout.gates, Operand{deltas, layout.gates, nullptr, false},
                   Operand{inputWeights, inputs, nullptr, false}, a.dX, inputs, nullptr, d > 0});
    }
  }
}

}  // namespace packed_rnn::PACKED_RNN_ISA
