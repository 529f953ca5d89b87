// The LSTM layer, forward: one product for the projection of all distinct rows, then the recurrence, in which
// a worker walks whole sequences from end to end and no worker waits for another.
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

void packInputWeights(const LstmWeights& weights, const Layout& layout, std::int64_t inputSize, float* packed,
                      float* bias) {
  for (std::int64_t column = 0; column < layout.gates; column++) {
    const std::int64_t row = layout.parameterRow(column);
    float* to = packed + column * inputSize;
    for (std::int64_t i = 0; i < inputSize; i++) to[i] = row < 0 ? 0.0f : weights.wIh[row * inputSize + i];
    if (bias == nullptr) continue;
    bias[column] = 0;
    if (row >= 0 && weights.bIh != nullptr) bias[column] += weights.bIh[row];
    if (row >= 0 && weights.bHh != nullptr) bias[column] += weights.bHh[row];
  }
}

Agenda::Agenda(CpuBackend& backend, const LstmShape& shape)
    : shape_(shape), places_(backend, larger(1, shape.sequences.count)) {
  count_ = CpuBackend::longestFirst(shape.sequences, 1, places_);
  // With few sequences every worker gets some rather than one worker all.
  const std::int64_t workers = backend.team().size();
  slots_ = static_cast<int>(larger(1, smaller(kSlots, (count_ * shape.directions + workers - 1) / workers)));
}

bool Agenda::take(std::int64_t direction, bool fromEnd, Slot& slot) {
  const std::int64_t i = __atomic_fetch_add(&next_[direction], 1, __ATOMIC_RELAXED);
  if (i >= count_) return false;
  const std::int64_t b = places_[i];
  const std::int64_t begin = shape_.sequences.offsets[b];
  const std::int64_t end = shape_.sequences.offsets[b + 1];
  slot = {b, fromEnd ? end - 1 : begin, end - begin};
  return true;
}

namespace {

// wHh for the forward tile: [blocks][H][4 kLanes].
void packRecurrentWeights(const LstmWeights& weights, const Layout& layout, float* packed) {
  for (std::int64_t column = 0; column < layout.gates; column++) {
    const std::int64_t row = layout.parameterRow(column);
    float* to = packed + column / kGateVectors * layout.hidden * kGateVectors + column % kGateVectors;
    for (std::int64_t k = 0; k < layout.hidden; k++) {
      to[k * kGateVectors] = row < 0 ? 0.0f : weights.wHh[row * layout.hidden + k];
    }
  }
}

struct Token {
  const float* x;  // the projected row, [G]
  float* gates;    // where the gates are saved, [G], or null; may be x
  float* cells;    // [Hp], or null
  float* output;   // [H]
};

// One step of R sequences for the kLanes units of block j: gates = x + wHh h, then the cell.
template <int R>
__attribute__((noinline)) void cellTile(const float* w, const Layout& layout, std::int64_t j, const float* h,
                                        float* next, float* c, const Token* tokens) {
  V acc[R][4];
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) acc[r][q] = load(tokens[r].x + j * kGateVectors + q * kLanes);
  for (std::int64_t k = 0; k < layout.hidden; k++, w += kGateVectors) {
    const V w0 = load(w), w1 = load(w + kLanes), w2 = load(w + 2 * kLanes), w3 = load(w + 3 * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
      const V x = splat(h[r * layout.padded + k]);
      acc[r][0] = fma(x, w0, acc[r][0]);
      acc[r][1] = fma(x, w1, acc[r][1]);
      acc[r][2] = fma(x, w2, acc[r][2]);
      acc[r][3] = fma(x, w3, acc[r][3]);
    }
  }
  const int live = layout.live(j);
#pragma GCC unroll 6
  for (int r = 0; r < R; r++) {
    float* cell = c + r * layout.padded + j * kLanes;
    LstmCell<Simd> unit{acc[r][0], acc[r][1], acc[r][2], acc[r][3], load(cell), V{}};
    unit.forward();
    store(cell, unit.c);
    store(next + r * layout.padded + j * kLanes, unit.h);
    storeUnits(tokens[r].output, j, live, unit.h);
    if (tokens[r].gates == nullptr) continue;
    float* gates = tokens[r].gates + j * kGateVectors;
    store(gates, unit.i);
    store(gates + kLanes, unit.f);
    store(gates + 2 * kLanes, unit.g);
    store(gates + 3 * kLanes, unit.o);
    store(tokens[r].cells + j * kLanes, unit.c);
  }
}

// One worker in one direction; see walk().
struct ForwardPass {
  const LstmForward& a;
  const Layout& layout;
  std::int64_t direction;
  const float* weights;    // [blocks][H][4 kLanes]
  const float* projected;  // [U, G]
  Saved saved;             // gates null: nothing is saved
  float *h, *next, *c;     // [kSlots, Hp]

  std::int64_t state(const Slot& slot) const {
    return (direction * a.shape.sequences.count + slot.place) * layout.hidden;
  }

  void open(const Slot& slot, int s) {
    const float* h0 = a.h0 == nullptr ? nullptr : a.h0 + state(slot);
    const float* c0 = a.c0 == nullptr ? nullptr : a.c0 + state(slot);
    for (std::int64_t j = 0; j < layout.blocks; j++) {
      store(h + s * layout.padded + j * kLanes, loadUnits(h0, j, layout.live(j)));
      store(c + s * layout.padded + j * kLanes, loadUnits(c0, j, layout.live(j)));
    }
  }

  void step(const Slot* slots, int live) {
    Token tokens[kSlots];
    const std::int64_t width = a.shape.directions * layout.hidden;
    for (int s = 0; s < live; s++) {
      const std::int64_t n = slots[s].row;
      const std::int64_t u = a.shape.index.index == nullptr ? n : a.shape.index.index[n];
      tokens[s] = {projected + u * layout.gates,
                   saved.gates == nullptr ? nullptr : saved.gates + n * layout.gates,
                   saved.gates == nullptr ? nullptr : saved.cells + n * layout.padded,
                   a.output + n * width + direction * layout.hidden};
    }
    for (std::int64_t j = 0; j < layout.blocks; j++) {
      const float* w = weights + j * layout.hidden * kGateVectors;
      for (int s = 0; s < live; s += kSlotRows) {
        const std::int64_t at = s * layout.padded;
        const auto run = [&](auto tile) { tile(w, layout, j, h + at, next + at, c + at, tokens + s); };
        switch (smaller(kSlotRows, live - s)) {
          case 1:
            run(cellTile<1>);
            break;
          case 2:
            run(cellTile<2>);
            break;
          case 3:
            run(cellTile<3>);
            break;
          case 4:
            run(cellTile<4>);
            break;
          case 5:
            run(cellTile<5>);
            break;
          default:
            run(cellTile<6>);
            break;
        }
      }
    }
    float* held = h;
    h = next;
    next = held;
  }

  void close(const Slot& slot, int s) {
    for (std::int64_t j = 0; j < layout.blocks; j++) {
      storeUnits(a.hN + state(slot), j, layout.live(j), load(h + s * layout.padded + j * kLanes));
      storeUnits(a.cN + state(slot), j, layout.live(j), load(c + s * layout.padded + j * kLanes));
    }
  }

  void move(int from, int to) {
    for (std::int64_t i = 0; i < layout.padded; i++) {
      h[to * layout.padded + i] = h[from * layout.padded + i];
      c[to * layout.padded + i] = c[from * layout.padded + i];
    }
  }
};

// The state of an empty sequence is its initial state.
void passEmptyThrough(const LstmForward& a) {
  const Sequences& sequences = a.shape.sequences;
  for (std::int64_t row = 0; row < a.shape.directions * sequences.count; row++) {
    const std::int64_t b = row % sequences.count;
    if (sequences.offsets[b] != sequences.offsets[b + 1]) continue;
    for (std::int64_t i = row * a.shape.hiddenSize; i < (row + 1) * a.shape.hiddenSize; i++) {
      a.hN[i] = a.h0 == nullptr ? 0.0f : a.h0[i];
      a.cN[i] = a.c0 == nullptr ? 0.0f : a.c0[i];
    }
  }
}

}  // namespace

std::int64_t Kernels::lstmSavedCount(std::int64_t rows, std::int64_t hiddenSize,
                                     std::int64_t directions) const {
  const Layout layout(hiddenSize);
  return directions * rows * (layout.gates + layout.padded);
}

void Kernels::lstmForward(const LstmForward& a) {
  const Layout layout(a.shape.hiddenSize);
  const std::int64_t inputs = a.shape.inputSize;
  const std::int64_t rows = a.shape.rows;
  const std::int64_t distinct = a.shape.distinctRows;
  // Rows that are not indexed are projected to where their gates will be saved.
  const bool inPlace = a.saved != nullptr && a.shape.index.index == nullptr;
  const std::int64_t panel = layout.gates * layout.hidden;
  Scratch<float> inputWeights(*this, layout.gates * inputs);
  Scratch<float> bias(*this, layout.gates);
  Scratch<float> weights(*this, a.shape.directions * panel);
  Scratch<float> table(*this, inPlace ? 0 : a.shape.directions * distinct * layout.gates);
  Scratch<float> states(*this, team().size() * 3 * kSlots * layout.padded);
  float* projected[2] = {};
  for (std::int64_t d = 0; d < a.shape.directions; d++) {
    projected[d] = inPlace ? Saved(a.saved, layout, rows, d).gates : table + d * distinct * layout.gates;
    packInputWeights(a.weights[d], layout, inputs, inputWeights, bias);
    packRecurrentWeights(a.weights[d], layout, weights + d * panel);
    gemm(*this, {distinct, layout.gates, inputs, Operand{a.x, inputs, nullptr, false},
                 Operand{inputWeights, inputs, nullptr, true}, projected[d], layout.gates, bias, false});
  }
  passEmptyThrough(a);
  Agenda agenda(*this, a.shape);
  walkAll(*this, a.shape.directions, [&](std::int64_t d, int worker) {
    float* h = states + worker * 3 * kSlots * layout.padded;
    Saved saved(a.saved, layout, rows, d);
    if (a.saved == nullptr) saved.gates = nullptr;
    ForwardPass pass{a,
                     layout,
                     d,
                     weights + d * panel,
                     projected[d],
                     saved,
                     h,
                     h + kSlots * layout.padded,
                     h + 2 * kSlots * layout.padded};
    walk(agenda, d, false, pass);
  });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
