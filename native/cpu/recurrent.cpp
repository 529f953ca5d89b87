// What both passes over a recurrent layer call.
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

void packInputWeights(const RecurrentWeights& weights, const Layout& layout, std::int64_t inputSize,
                      float* packed, float* bias) {
  for (std::int64_t column = 0; column < layout.width; column++) {
    const std::int64_t row = layout.parameterRow(column, layout.columns.input);
    const std::int64_t hiddenRow = layout.parameterRow(column, layout.columns.hidden);
    float* to = packed + column * inputSize;
    for (std::int64_t i = 0; i < inputSize; i++) to[i] = row < 0 ? 0.0f : weights.wIh[row * inputSize + i];
    if (bias == nullptr) continue;
    bias[column] = 0;
    if (row >= 0 && weights.bIh != nullptr) bias[column] += weights.bIh[row];
    if (hiddenRow >= 0 && weights.bHh != nullptr) bias[column] += weights.bHh[hiddenRow];
  }
}

namespace {

template <int R, int NV>
__attribute__((noinline)) void productTile(const float* w, std::int64_t depth, const float* x,
                                           std::int64_t xStride, float* y, std::int64_t yStride,
                                           bool accumulate) {
  V acc[R][NV] = {};
  if (accumulate) {
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[r][v] = load(y + r * yStride + v * kLanes);
  }
  for (std::int64_t k = 0; k < depth; k++, w += NV * kLanes) {
    V panel[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) panel[v] = load(w + v * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
      const V factor = splat(x[r * xStride + k]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[r][v] = fma(factor, panel[v], acc[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) store(y + r * yStride + v * kLanes, acc[r][v]);
}

template <int R>
void productTiles(const float* w, std::int64_t depth, std::int64_t blocks, const float* x,
                  std::int64_t xStride, float* y, std::int64_t yStride, bool accumulate) {
  std::int64_t j = 0;
  for (; j + 4 <= blocks; j += 4, w += depth * 4 * kLanes) {
    productTile<R, 4>(w, depth, x, xStride, y + j * kLanes, yStride, accumulate);
  }
  switch (blocks - j) {
    case 1:
      return productTile<R, 1>(w, depth, x, xStride, y + j * kLanes, yStride, accumulate);
    case 2:
      return productTile<R, 2>(w, depth, x, xStride, y + j * kLanes, yStride, accumulate);
    case 3:
      return productTile<R, 3>(w, depth, x, xStride, y + j * kLanes, yStride, accumulate);
    default:
      return;
  }
}

}  // namespace

void slotProduct(const float* w, std::int64_t depth, std::int64_t blocks, const float* x,
                 std::int64_t xStride, float* y, std::int64_t yStride, int rows, bool accumulate) {
  for (int s = 0; s < rows; s += kSlotRows) {
    const auto run = [&](auto tiles) {
      tiles(w, depth, blocks, x + s * xStride, xStride, y + s * yStride, yStride, accumulate);
    };
    switch (smaller(kSlotRows, rows - s)) {
      case 1:
        run(productTiles<1>);
        break;
      case 2:
        run(productTiles<2>);
        break;
      case 3:
        run(productTiles<3>);
        break;
      case 4:
        run(productTiles<4>);
        break;
      case 5:
        run(productTiles<5>);
        break;
      default:
        run(productTiles<6>);
        break;
    }
  }
}

Agenda::Agenda(CpuBackend& backend, const RecurrentShape& shape)
    : shape_(shape), places_(backend, larger(1, shape.sequences.count)) {
  count_ = CpuBackend::longestFirst(shape.sequences, places_);
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

void passEmptyThrough(const RecurrentShape& shape, std::int64_t size, const float* from, float* to) {
  if (to == nullptr) return;
  const Sequences& sequences = shape.sequences;
  for (std::int64_t row = 0; row < shape.directions * sequences.count; row++) {
    const std::int64_t b = row % sequences.count;
    if (sequences.offsets[b] != sequences.offsets[b + 1]) continue;
    for (std::int64_t i = row * size; i < (row + 1) * size; i++) to[i] = from == nullptr ? 0.0f : from[i];
  }
}

std::int64_t Kernels::recurrentSavedCount(const RecurrentShape& shape) const {
  const Layout layout(shape);
  return shape.directions * shape.rows * (layout.width + layout.extra);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
