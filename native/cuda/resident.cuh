// The resident path. A block holds the recurrent weights of one direction in registers (and in shared memory
// if there are too many). It walks eight slots of sequences to their ends, side by side. Blocks exchange no
// data. The host assigns sequences to slots, the longest first. A slot starts the next sequence in the step
// after its last one ended. blockIdx.y is the direction: direction 1 runs from a sequence's last row to its
// first.
#pragma once

#include <type_traits>

#include "recurrent.h"
#include "resident_product.cuh"
#include "unit.cuh"

namespace packed_rnn::cuda {

struct Plan {
  const int4* work;       // {first row, rows, sequence, -}; 0 rows: the end of a slot's work
  const int* slotWork;    // [blocks · kSlots]: where each slot's work begins
  const int* blockSteps;  // [blocks]: the most rows in one slot of the block
};

struct ResidentForward {
  Plan plan;
  HiddenWeights weights;
  const float* inputs;        // [U, D·C]
  const float* bias;          // [D·C]
  const std::int32_t* index;  // [N] or null
  const float *h0, *c0;       // [D, B, H] or null
  float* output;              // [N, D·H]
  float *columns, *cells;     // [N, D·C] and [N, D·H], or null: nothing is saved
  float *hN, *cN;             // [D, B, H]
  std::int64_t sequences;     // B
};

struct ResidentBackward {
  Plan plan;
  HiddenWeights weights;
  float* columns;                              // [N, D·C]: gates in, gradients of pre-activations out
  const float *cells, *output;                 // [N, D·H]
  const float *h0, *c0, *dOutput, *dHN, *dCN;  // or null
  float *dH0, *dC0;                            // or null
  std::int64_t sequences;
};

// A shape's slot assignments, and the weights in the kernels' order. They are on the device for the duration
// of an op.
class ResidentPlan {
 public:
  ResidentPlan(CudaBackend& backend, const RecurrentShape& shape, const RecurrentWeights (&weights)[2]);
  const HiddenWeights& weights() const { return hidden_; }
  Plan plan() { return {work_, numbers_, numbers_ + blocks_ * kSlots}; }
  dim3 grid() const { return dim3(static_cast<unsigned>(blocks_), static_cast<unsigned>(directions_)); }

 private:
  struct Lists;
  ResidentPlan(CudaBackend& backend, const RecurrentShape& shape, const RecurrentWeights (&weights)[2],
               const Lists& lists);
  std::int64_t blocks_, directions_;
  Scratch<int4> work_;
  Scratch<int> numbers_;
  Scratch<float> flushed_;  // weights
  HiddenWeights hidden_;
};

// Calls run(units, product) with types for the layer's width (H padded to 32, 64 or 128) and the backend's
// precision: TensorProduct or FloatProduct.
template <int kColumns, class Run>
void chooseProduct(const CudaBackend& backend, std::int64_t hidden, Run run) {
  const auto withUnits = [&](auto units) {
    constexpr int kUnits = decltype(units)::value;
    switch (backend.precision()) {
      case Precision::float32:
        if constexpr (kUnits * kColumns <= kMostFloatColumns) {
          return run(units, std::type_identity<FloatProduct<kUnits, kColumns>>{});
        } else {
          return;  // residentServes returned false for these
        }
      case Precision::tf32:
        return run(units, std::type_identity<TensorProduct<Tf32, kUnits, kColumns>>{});
      case Precision::bfloat16:
        return run(units, std::type_identity<TensorProduct<Bf16, kUnits, kColumns>>{});
    }
  };
  if (hidden <= 32) return withUnits(std::integral_constant<int, 32>{});
  if (hidden <= 64) return withUnits(std::integral_constant<int, 64>{});
  return withUnits(std::integral_constant<int, 128>{});
}
template <class Run>
void chooseCell(Cell cell, Run run) {
  switch (cell) {
    case Cell::gru:
      return run(std::integral_constant<Cell, Cell::gru>{});
    case Cell::elmanTanh:
      return run(std::integral_constant<Cell, Cell::elmanTanh>{});
    case Cell::elmanRelu:
      return run(std::integral_constant<Cell, Cell::elmanRelu>{});
    case Cell::lstm:
      return run(std::integral_constant<Cell, Cell::lstm>{});
    case Cell::resetFirstGru:
      return;  // It has no resident kernel.
  }
}

}  // namespace packed_rnn::cuda
