// A recurrent layer on the device: how it lies in memory, and the two paths through its sequences.
//
// The columns of cells.h lie interleaved: column q of unit u of direction d stands at (d H + u) Q + q of a
// row of D·C, C = Q H. So a thread finds all that a unit needs side by side, and one product projects both
// directions.
#pragma once

#include "cells.h"
#include "cuda_backend.h"

namespace packed_rnn::cuda {

struct Layout {
  Columns columns;
  std::int64_t hidden, width, state, directions;  // H, C, R, D
  bool hasC, projected;
  std::int64_t extra;  // floats a row and direction is saved with besides its columns

  explicit Layout(const RecurrentShape& shape)
      : columns(columnsOf(shape.cell)),
        hidden(shape.hiddenSize),
        width(columns.count * hidden),
        state(shape.projectionSize > 0 ? shape.projectionSize : hidden),
        directions(shape.directions),
        hasC(shape.cell == Cell::lstm),
        projected(shape.projectionSize > 0),
        // c, and with a projection what is projected; r h₋₁
        extra(hasC                                ? (projected ? 2 * hidden : hidden)
              : shape.cell == Cell::resetFirstGru ? hidden
                                                  : 0) {}
};

struct Saved {
  float* columns = nullptr;      // [N, D·C]: gates, later the gradients of their pre-activations
  float* extra = nullptr;        // [N, D·H]: c, or r h₋₁
  float* unprojected = nullptr;  // [N, D·H]: o tanh(c) before the projection
  Saved(float* saved, const Layout& layout, std::int64_t rows) {
    if (saved == nullptr) return;
    columns = saved;
    extra = columns + rows * layout.directions * layout.width;
    unprojected = extra + rows * layout.directions * layout.hidden;
  }
};

// What both paths get: the op, and where the projected inputs are. Row n's are row index[n] of `inputs`, or
// its own where there is no index; `inputs` may be where the columns are saved.
struct ForwardPass {
  const RecurrentForward& op;
  Layout layout;
  Saved saved;
  const float* inputs;  // [U, D·C]: W x + b
  const float* bias;  // [D·C]: what a column without input weights is (0 · ∞ made a NaN of it in `inputs`)
  const std::int32_t* index;
};
struct BackwardPass {
  const RecurrentBackward& op;
  Layout layout;
  Saved saved;
  float* dProjected;  // [N, D·P], out: the gradients of h; null where nothing is projected
};

// The sequences that are not empty, the longest first, of equals the earlier: {first row, rows, b, -}.
std::vector<int4> longestFirst(const Sequences& sequences);

// The resident path: see resident.cuh. Where it cannot serve, the stepwise path does; which of them does
// depends on the layer and the device alone.
bool residentServes(const CudaBackend& backend, const RecurrentShape& shape);
void residentForward(CudaBackend& backend, const ForwardPass& pass);
void residentBackward(CudaBackend& backend, const BackwardPass& pass);
// The stepwise path: see stepwise.cu.
void stepwiseForward(CudaBackend& backend, const ForwardPass& pass);
void stepwiseBackward(CudaBackend& backend, const BackwardPass& pass);

// Rows of a parameter [G·H, width] in column order [C, width], and back: see Columns. Column order has zeros
// where a column takes from no gate.
struct ColumnOrder {
  int count, gate[4];  // Q; the gate of each, or -1
  std::int64_t hidden, width;
  float* packed;                 // [C, width]
  float* parameter;              // [G·H, width]
  const float* added = nullptr;  // packing alone, optional: another parameter, by its own gates
  int addedGate[4] = {};
};
void packColumns(CudaBackend& backend, const ColumnOrder& order);
void unpackColumns(CudaBackend& backend, const ColumnOrder& order);

}  // namespace packed_rnn::cuda
