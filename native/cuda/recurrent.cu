// The part that both paths of a recurrent layer share: the projection of the inputs before the loop and the
// gradients of the weights after it.
#include <algorithm>

#include "recurrent.h"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;

// gates[q] by comparisons: indexing an array of the arguments would copy it to the stack.
__device__ __forceinline__ int gateOf(const int (&gates)[4], int q) {
  int gate = gates[0];
#pragma unroll
  for (int i = 1; i < 4; i++) {
    if (q == i) gate = gates[i];
  }
  return gate;
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) packColumnsKernel(const ColumnOrder p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.count * p.hidden * p.width) return;
  const std::int64_t column = i / p.width, unit = column / p.count, at = i % p.width;
  const int q = static_cast<int>(column % p.count);
  const int gate = gateOf(p.gate, q), addedGate = gateOf(p.addedGate, q);
  float sum = 0;
  if (p.parameter != nullptr && gate >= 0) sum += p.parameter[(gate * p.hidden + unit) * p.width + at];
  if (p.added != nullptr && addedGate >= 0) sum += p.added[(addedGate * p.hidden + unit) * p.width + at];
  p.packed[i] = sum;
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) unpackColumnsKernel(const ColumnOrder p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.count * p.hidden * p.width) return;
  const std::int64_t column = i / p.width, unit = column / p.count;
  const int gate = gateOf(p.gate, static_cast<int>(column % p.count));
  if (gate >= 0) p.parameter[(gate * p.hidden + unit) * p.width + i % p.width] = p.packed[i];
}

struct EmptyStates {
  const std::int32_t* offsets;  // [B + 1]
  std::int64_t sequences, directions, size;
  const float* from;  // [D, B, size] or null: zeros
  float* to;
};
// Copies the state of an empty sequence.
// budget: 32 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) passEmptyKernel(const EmptyStates p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.directions * p.sequences * p.size) return;
  const std::int64_t b = i / p.size % p.sequences;
  if (p.offsets[b] == p.offsets[b + 1]) p.to[i] = p.from == nullptr ? 0.0f : p.from[i];
}

struct Neighbours {
  const std::int32_t* offsets;  // [B + 1]
  std::int64_t rows, sequences;
  bool fromEnd;
  std::int32_t* before;  // [N]: the row of the previous step, -1 at a sequence's first step
  std::int32_t* first;   // [B]: the row of a sequence's first step, -1 if it is empty
  std::int32_t* state;   // [B]: the sequence itself, -1 if it is empty
};
// budget: 32 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) neighboursKernel(const Neighbours p) {
  const std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (n < p.rows) p.before[n] = static_cast<std::int32_t>(n) + (p.fromEnd ? 1 : -1);
}
// Runs after neighboursKernel.
// budget: 32 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) firstsKernel(const Neighbours p) {
  const std::int64_t b = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (b >= p.sequences) return;
  const std::int32_t begin = p.offsets[b], end = p.offsets[b + 1];
  const std::int32_t first = begin == end ? -1 : p.fromEnd ? end - 1 : begin;
  p.first[b] = first;
  p.state[b] = first < 0 ? -1 : static_cast<std::int32_t>(b);
  if (first >= 0) p.before[first] = -1;
}

ColumnOrder columnOrder(const Layout& layout, const int (&gate)[4], std::int64_t width, float* packed,
                        float* parameter) {
  ColumnOrder order{layout.columns.count, {}, layout.hidden, width, packed, parameter};
  std::copy(gate, gate + 4, order.gate);
  return order;
}

// Input weights [D·C, I] and biases [D·C] of all directions.
void packInputWeights(CudaBackend& backend, const RecurrentWeights (&weights)[2], const Layout& layout,
                      std::int64_t inputs, float* packed, float* bias) {
  for (std::int64_t d = 0; d < layout.directions; d++) {
    const RecurrentWeights& w = weights[d];
    packColumns(backend, columnOrder(layout, layout.columns.input, inputs, packed + d * layout.width * inputs,
                                     const_cast<float*>(w.wIh)));
    if (bias == nullptr) continue;
    ColumnOrder order =
        columnOrder(layout, layout.columns.input, 1, bias + d * layout.width, const_cast<float*>(w.bIh));
    order.added = w.bHh;
    std::copy(layout.columns.hidden, layout.columns.hidden + 4, order.addedGate);
    packColumns(backend, order);
  }
}

void passEmptyThrough(CudaBackend& backend, const RecurrentShape& shape, const std::int32_t* offsets,
                      std::int64_t size, const float* from, float* to) {
  if (to == nullptr) return;
  const std::int64_t count = shape.directions * shape.sequences.count * size;
  launch(backend.stream(), passEmptyKernel, dim3(blocksFor(count, kThreads)), kThreads, 0,
         EmptyStates{offsets, shape.sequences.count, shape.directions, size, from, to});
}

bool anyEmpty(const Sequences& sequences) {
  for (std::int64_t b = 0; b < sequences.count; b++) {
    if (sequences.offsets[b] == sequences.offsets[b + 1]) return true;
  }
  return false;
}

std::vector<std::int32_t> offsetsOf(const Sequences& sequences) {
  return {sequences.offsets, sequences.offsets + sequences.count + 1};
}

// dwHh = Σ delta[n] ⊗ h before token n. That h is the output one row earlier in the walk, or h0 at a
// sequence's first token. For the gate n of a reset-first GRU it is r h₋₁.
void recurrentWeightGradient(CudaBackend& backend, const BackwardPass& pass, const std::int32_t* offsets,
                             std::int64_t d) {
  const RecurrentBackward& a = pass.op;
  const Layout& layout = pass.layout;
  const std::int64_t rows = a.rows, sequences = a.sequences.count, D = layout.directions;
  Scratch<std::int32_t> numbers(backend, rows + 2 * sequences + 1);
  const Neighbours neighbours{
      offsets, rows, sequences, d == 1, numbers, numbers + rows, numbers + rows + sequences};
  launch(backend.stream(), neighboursKernel, dim3(blocksFor(rows, kThreads)), kThreads, 0, neighbours);
  launch(backend.stream(), firstsKernel, dim3(blocksFor(sequences, kThreads)), kThreads, 0, neighbours);
  const float* const deltas = pass.saved.columns + d * layout.width;
  Scratch<float> packed(backend, layout.width * layout.state);
  const auto add = [&](std::int64_t k, const std::int32_t* rowsOfDeltas, Operand states, bool accumulate) {
    gemm(backend, {layout.width, layout.state, k, Operand{deltas, D * layout.width, rowsOfDeltas, true},
                   states, packed, layout.state, nullptr, accumulate});
  };
  add(rows, nullptr, {a.output + d * layout.state, D * layout.state, neighbours.before}, false);
  if (a.h0 != nullptr) {
    add(sequences, neighbours.first, {a.h0 + d * sequences * layout.state, layout.state, neighbours.state},
        true);
  }
  unpackColumns(backend,
                columnOrder(layout, layout.columns.hidden, layout.state, packed, a.gradients[d].wHh));
  if (a.cell != Cell::resetFirstGru) return;
  add(rows, nullptr, {pass.saved.extra + d * layout.hidden, D * layout.hidden}, false);
  constexpr int onlyN[4] = {-1, -1, 2, -1};
  unpackColumns(backend, columnOrder(layout, onlyN, layout.state, packed, a.gradients[d].wHh));
}

void weightGradients(CudaBackend& backend, const BackwardPass& pass, const std::int32_t* offsets) {
  const RecurrentBackward& a = pass.op;
  const Layout& layout = pass.layout;
  const std::int64_t D = layout.directions, all = D * layout.width, inputs = a.inputSize;
  for (std::int64_t d = 0; d < D; d++) {
    if (a.gradients[d].wHh != nullptr) recurrentWeightGradient(backend, pass, offsets, d);
    if (a.gradients[d].wHr == nullptr) continue;
    gemm(backend, {layout.state, layout.hidden, a.rows,
                   Operand{pass.dProjected + d * layout.state, D * layout.state, nullptr, true},
                   Operand{pass.saved.unprojected + d * layout.hidden, D * layout.hidden}, a.gradients[d].wHr,
                   layout.hidden});
  }
  // From here on a distinct row counts once, with the sum of the gradients of all its places.
  const std::int64_t distinct = a.distinctRows;
  const bool indexed = a.index != nullptr;
  Scratch<float> sums(backend, indexed ? distinct * all : 0);
  const float* deltas = pass.saved.columns;
  if (indexed) {
    backend.run(SumRows{distinct, all, a.rows, deltas, a.starts, a.order, sums});
    deltas = sums;
  }
  const auto any = [&](float* RecurrentGradients::*which) {
    return a.gradients[0].*which != nullptr || (D == 2 && a.gradients[1].*which != nullptr);
  };
  Scratch<float> packed(backend, all * inputs);
  if (any(&RecurrentGradients::wIh)) {
    gemm(backend,
         {all, inputs, distinct, Operand{deltas, all, nullptr, true}, Operand{a.x, inputs}, packed, inputs});
    for (std::int64_t d = 0; d < D; d++) {
      if (a.gradients[d].wIh == nullptr) continue;
      unpackColumns(backend, columnOrder(layout, layout.columns.input, inputs,
                                         packed + d * layout.width * inputs, a.gradients[d].wIh));
    }
  }
  if (any(&RecurrentGradients::bIh) || any(&RecurrentGradients::bHh)) {
    Scratch<float> bias(backend, all);
    sumColumns(backend, deltas, distinct, all, all, bias);
    for (std::int64_t d = 0; d < D; d++) {
      float* const own = bias + d * layout.width;
      const RecurrentGradients& to = a.gradients[d];
      if (to.bIh != nullptr)
        unpackColumns(backend, columnOrder(layout, layout.columns.input, 1, own, to.bIh));
      if (to.bHh != nullptr)
        unpackColumns(backend, columnOrder(layout, layout.columns.hidden, 1, own, to.bHh));
    }
  }
  if (a.dX == nullptr) return;
  packInputWeights(backend, a.weights.at, layout, inputs, packed, nullptr);
  gemm(backend, {distinct, inputs, all, Operand{deltas, all}, Operand{packed, inputs}, a.dX, inputs});
}

}  // namespace

void packColumns(CudaBackend& backend, const ColumnOrder& order) {
  const std::int64_t count = order.count * order.hidden * order.width;
  launch(backend.stream(), packColumnsKernel, dim3(blocksFor(count, kThreads)), kThreads, 0, order);
}

void unpackColumns(CudaBackend& backend, const ColumnOrder& order) {
  const std::int64_t count = order.count * order.hidden * order.width;
  launch(backend.stream(), unpackColumnsKernel, dim3(blocksFor(count, kThreads)), kThreads, 0, order);
}

std::vector<int4> longestFirst(const Sequences& sequences) {
  std::vector<int4> found;
  for (std::int32_t b = 0; b < sequences.count; b++) {
    const std::int32_t rows = sequences.offsets[b + 1] - sequences.offsets[b];
    if (rows > 0) found.push_back(make_int4(sequences.offsets[b], rows, b, 0));
  }
  std::stable_sort(found.begin(), found.end(), [](const int4& a, const int4& b) { return a.y > b.y; });
  return found;
}

std::int64_t CudaBackend::recurrentSavedCount(const RecurrentShape& shape) const {
  const Layout layout(shape);
  return shape.directions * shape.rows * (layout.width + layout.extra);
}

template <>
void run(CudaBackend& backend, const RecurrentForward& a) {
  const Layout layout(a);
  const std::int64_t all = layout.directions * layout.width, inputs = a.inputSize;
  const Saved saved(a.saved, layout, a.rows);
  // Rows that are not indexed are projected to where their columns will be saved.
  const bool indexed = a.index != nullptr, inPlace = a.saved != nullptr && !indexed;
  Scratch<float> weights(backend, all * inputs);
  Scratch<float> bias(backend, all);
  Scratch<float> table(backend, inPlace ? 0 : a.distinctRows * all);
  float* const projected = inPlace ? saved.columns : static_cast<float*>(table);
  packInputWeights(backend, a.weights.at, layout, inputs, weights, bias);
  gemm(backend, {a.distinctRows, all, inputs, Operand{a.x, inputs}, Operand{weights, inputs, nullptr, true},
                 projected, all, bias});
  if (anyEmpty(a.sequences)) {
    Scratch<std::int32_t> offsets(backend, offsetsOf(a.sequences));
    passEmptyThrough(backend, a, offsets, layout.state, a.h0, a.hN);
    passEmptyThrough(backend, a, offsets, layout.hidden, a.c0, a.cN);
  }
  if (a.rows == 0) return;
  const ForwardPass pass{a, layout, saved, projected, bias, a.index};
  residentServes(backend, a) ? residentForward(backend, pass) : stepwiseForward(backend, pass);
}

template <>
void run(CudaBackend& backend, const RecurrentBackward& a) {
  const Layout layout(a);
  Scratch<std::int32_t> offsets(backend, offsetsOf(a.sequences));
  Scratch<float> dProjected(backend, layout.projected ? a.rows * layout.directions * layout.state : 0);
  if (anyEmpty(a.sequences)) {
    passEmptyThrough(backend, a, offsets, layout.state, a.dHN, a.dH0);
    passEmptyThrough(backend, a, offsets, layout.hidden, a.dCN, a.dC0);
  }
  const BackwardPass pass{a, layout, Saved(a.saved, layout, a.rows), dProjected};
  if (a.rows > 0)
    residentServes(backend, a) ? residentBackward(backend, pass) : stepwiseBackward(backend, pass);
  weightGradients(backend, pass, offsets);
}

}  // namespace packed_rnn::cuda
