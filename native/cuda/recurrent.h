// A recurrent layer on the device: its memory layout, and the two paths through its sequences.
//
// The columns of cells.h are interleaved: column q of unit u of direction d is at (d H + u) Q + q of a row of
// D·C, C = Q H. So a thread finds everything that a unit needs in one place, and one product projects both
// directions.
#pragma once

#include "cells.h"
#include "cuda_backend.h"

namespace packed_rnn::cuda {

struct Layout {
  Columns columns;
  std::int64_t hidden, width, state, directions;  // H, C, R, D
  bool hasC, projected;
  std::int64_t extra;  // floats saved for a row and direction in addition to its columns

  explicit Layout(const RecurrentShape& shape)
      : columns(columnsOf(shape.cell)),
        hidden(shape.hiddenSize),
        width(columns.count * hidden),
        state(shape.projectionSize > 0 ? shape.projectionSize : hidden),
        directions(shape.directions),
        hasC(shape.cell == Cell::lstm),
        projected(shape.projectionSize > 0),
        // c, and with a projection o tanh(c); or r h₋₁
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

// The inputs of both paths: the op, and the projected inputs. Row n reads row index[n] of `inputs`, or row n
// without an index. `inputs` may be where the columns are saved.
struct ForwardPass {
  const RecurrentForward& op;
  Layout layout;
  Saved saved;
  const float* inputs;  // [U, D·C]: W x + b
  const float* bias;    // [D·C]: for columns without input weights (0 · ∞ made them NaN in `inputs`)
  const std::int32_t* index;
};
struct BackwardPass {
  const RecurrentBackward& op;
  Layout layout;
  Saved saved;
  float* dProjected;  // [N, D·P], out: the gradients of h; null without a projection
};

// The sequences that are not empty, the longest first. Of equal lengths the earlier comes first: {first row,
// rows, b, -}.
std::vector<int4> longestFirst(const Sequences& sequences);

// The resident path: see resident.cuh. Layers that it cannot serve take the stepwise path. Only the layer and
// the device decide which path serves.
bool residentServes(const CudaBackend& backend, const RecurrentShape& shape);
void residentForward(CudaBackend& backend, const ForwardPass& pass);
void residentBackward(CudaBackend& backend, const BackwardPass& pass);
// The stepwise path: see stepwise.cu.
void stepwiseForward(CudaBackend& backend, const ForwardPass& pass);
void stepwiseBackward(CudaBackend& backend, const BackwardPass& pass);

// Rows of a parameter [G·H, width] in column order [C, width], and the reverse: see Columns. In column order,
// a column without a gate is zeros.
struct ColumnOrder {
  int count, gate[4];  // Q; the gate of each column, or -1
  std::int64_t hidden, width;
  float* packed;                 // [C, width]
  float* parameter;              // [G·H, width]
  const float* added = nullptr;  // only for packing, optional: a second parameter to add, with its own gates
  int addedGate[4] = {};
};
void packColumns(CudaBackend& backend, const ColumnOrder& order);
void unpackColumns(CudaBackend& backend, const ColumnOrder& order);

}  // namespace packed_rnn::cuda
