#include "cpu/recurrent_weights.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kSmallWork = 1 << 15;  // numbers; less work than this is copied by one thread

// body(i) for each i < count, with the team if the work is large enough.
template <class Body>
void each(CpuBackend& backend, std::int64_t count, std::int64_t numbers, Body body) {
  auto task = [&](std::int64_t i, int) { body(i); };
  if (numbers >= kSmallWork) return parallel(backend, count, task);
  for (std::int64_t i = 0; i < count; i++) body(i);
}

// Vector v of the columns of a parameter [G·H, depth], whose numbers run along k.
void packVector(const float* parameter, std::int64_t depth, const Layout& layout, const int* gate,
                std::int64_t v, Term* to, std::int64_t stride) {
  const Layout::Rows rows = layout.parameterRows(v, gate);
  packAlong(parameter + rows.first * depth, depth, rows.count, depth, to, stride);
}

void packInput(CpuBackend& backend, const RecurrentWeights& weights, const Layout& layout,
               std::int64_t inputs, Term* to) {
  const std::int64_t vectors = layout.width / kLanes;
  each(backend, panelsOf(layout.width), layout.width * inputs, [&](std::int64_t p) {
    for (std::int64_t v = p * kTileVectors; v < smaller(vectors, (p + 1) * kTileVectors); v++) {
      packVector(weights.wIh, inputs, layout, layout.columns.input, v,
                 to + p * termsIn(inputs) * kPanel + v % kTileVectors * kLanes, kPanel);
    }
  });
}

// Columns [from, from + count) of each block of units.
void packRecurrent(CpuBackend& backend, const RecurrentWeights& weights, const Layout& layout, int from,
                   int count, Term* to) {
  const std::int64_t terms = termsIn(layout.state);
  each(backend, layout.blocks, layout.width * layout.state, [&](std::int64_t j) {
    for (int q = 0; q < count; q++) {
      packVector(weights.wHh, layout.state, layout, layout.columns.hidden,
                 j * layout.columns.count + from + q, to + j * terms * count * kLanes + q * kLanes,
                 count * kLanes);
    }
  });
}

void addBias(const RecurrentWeights& weights, const Layout& layout, float* bias) {
  for (std::int64_t column = 0; column < layout.width; column++) {
    const std::int64_t row = layout.parameterRow(column, layout.columns.input);
    const std::int64_t hiddenRow = layout.parameterRow(column, layout.columns.hidden);
    bias[column] = 0;
    if (row >= 0 && weights.bIh != nullptr) bias[column] += weights.bIh[row];
    if (hiddenRow >= 0 && weights.bHh != nullptr) bias[column] += weights.bHh[hiddenRow];
  }
}

std::int64_t forwardTerms(const RecurrentShape& shape, const Layout& layout) {
  return panelTerms(layout.width, shape.inputSize) + layout.width * termsIn(layout.state) +
         (layout.projected ? panelTerms(layout.state, layout.hidden) : 0);
}

std::int64_t backwardTerms(const RecurrentShape& shape, const Layout& layout, bool halves, bool wantsInput) {
  return panelTerms(layout.state, layout.width) * (halves ? 2 : 1) +
         (layout.projected ? panelTerms(layout.hidden, layout.state) : 0) +
         (wantsInput ? panelTerms(shape.inputSize, layout.width) : 0);
}

}  // namespace

ForwardWeights::ForwardWeights(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout,
                               const RecurrentWeights* weights, bool halves)
    : terms_(backend, shape.directions * forwardTerms(shape, layout)),
      bias_(backend, shape.directions * layout.width),
      directions_{} {
  const int columns = layout.columns.count, half = halves ? 2 : columns;
  Term* to = terms_;
  for (std::int64_t d = 0; d < shape.directions; d++) {
    Direction& own = directions_[d];
    own.bias = bias_ + d * layout.width;
    addBias(weights[d], layout, own.bias);
    own.input = to;
    packInput(backend, weights[d], layout, shape.inputSize, to);
    own.first = to += panelTerms(layout.width, shape.inputSize);
    packRecurrent(backend, weights[d], layout, 0, half, to);
    own.second = to += layout.padded * half * termsIn(layout.state);
    if (halves) packRecurrent(backend, weights[d], layout, half, columns - half, to);
    own.projection = to += layout.padded * (columns - half) * termsIn(layout.state);
    if (!layout.projected) continue;
    const Operand wHr{weights[d].wHr, layout.hidden, nullptr, true};
    packPanels(backend, wHr, layout.state, layout.hidden, to, layout.state * layout.hidden < kSmallWork);
    to += panelTerms(layout.state, layout.hidden);
  }
}

BackwardWeights::BackwardWeights(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout,
                                 const RecurrentWeights* weights, bool halves, bool wantsInput)
    : hasInput_(wantsInput),
      terms_(backend, shape.directions * backwardTerms(shape, layout, halves, wantsInput)),
      directions_{} {
  Scratch<std::int32_t> rows(backend, layout.width);
  Term* to = terms_;
  const auto pack = [&](const float* data, std::int64_t stride, const std::int32_t* places,
                        std::int64_t columns, std::int64_t depth) {
    Term* const packed = to;
    packPanels(backend, {data, stride, places, false}, columns, depth, packed, columns * depth < kSmallWork);
    to += panelTerms(columns, depth);
    return packed;
  };
  const auto parameterRows = [&](const int* gate, auto takes) {
    for (std::int64_t column = 0; column < layout.width; column++) {
      const std::int64_t row = layout.parameterRow(column, gate);
      rows[column] = row >= 0 && takes(row) ? static_cast<std::int32_t>(row) : -1;
    }
  };
  for (std::int64_t d = 0; d < shape.directions; d++) {
    Direction& own = directions_[d];
    const auto ofState = [&](bool reset) {
      parameterRows(layout.columns.hidden,
                    [&](std::int64_t row) { return !halves || (row >= 2 * layout.hidden) == reset; });
      return pack(weights[d].wHh, layout.state, rows, layout.state, layout.width);
    };
    own.recurrent = ofState(false);
    if (halves) own.reset = ofState(true);
    if (layout.projected)
      own.projection = pack(weights[d].wHr, layout.hidden, nullptr, layout.hidden, layout.state);
    if (!wantsInput) continue;
    parameterRows(layout.columns.input, [](std::int64_t) { return true; });
    own.input = pack(weights[d].wIh, shape.inputSize, rows, shape.inputSize, layout.width);
  }
}

void unpackColumns(CpuBackend& backend, const float* packed, const Layout& layout, const int* gate,
                   std::int64_t depth, float* parameter) {
  each(backend, layout.width / kLanes, layout.width * depth, [&](std::int64_t v) {
    const Layout::Rows rows = layout.parameterRows(v, gate);
    if (rows.count == 0) return;
    for (std::int64_t i = 0; i < depth; i += kLanes) {
      transposeBlock(packed + i * layout.width + v * kLanes, layout.width,
                     static_cast<int>(smaller(kLanes, depth - i)), rows.count,
                     parameter + rows.first * depth + i, depth);
    }
  });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
