// One unit of a cell, forward and backward, on its contiguous columns.
#pragma once

#include "cells.h"
#include "math.cuh"

namespace packed_rnn::cuda {

// Replaces pre-activations by gates, and h and c by those of this step.
template <Cell cell, class M, int kColumns>
__device__ __forceinline__ void forwardUnit(float (&column)[kColumns], float& h, float& c) {
  if constexpr (cell == Cell::lstm) {
    LstmCell<M> unit{column[0], column[1], column[2], column[3], c, 0};
    unit.forward();
    column[0] = unit.i, column[1] = unit.f, column[2] = unit.g, column[3] = unit.o;
    c = unit.c, h = unit.h;
  } else if constexpr (cell == Cell::gru) {
    GruCell<M> unit{column[0], column[1], column[2], column[3], h};
    unit.forward();
    column[0] = unit.r, column[1] = unit.z, column[2] = unit.n, column[3] = unit.q;
    h = unit.h;
  } else {
    h = ElmanCell<M, cell == Cell::elmanRelu>::forward(column[0]);
  }
}

// Replaces gates by gradients of the pre-activations. dh and dc: in, those of h and c; out, the part of them
// that reaches the previous step without the product. `now` is c (LSTM) or h (Elman). `before` is the
// previous step's c (LSTM) or h (GRU).
template <Cell cell, class M, int kColumns>
__device__ __forceinline__ void backwardUnit(float (&column)[kColumns], float now, float before, float& dh,
                                             float& dc) {
  if constexpr (cell == Cell::lstm) {
    LstmCellBackward<M> unit{column[0], column[1], column[2], column[3], dc};
    unit.backward(now, before, dh);
    column[0] = unit.i, column[1] = unit.f, column[2] = unit.g, column[3] = unit.o;
    dc = unit.dc, dh = 0;
  } else if constexpr (cell == Cell::gru) {
    GruCellBackward<M> unit{column[0], column[1], column[2], column[3], dh};
    unit.backward(before);
    column[0] = unit.r, column[1] = unit.z, column[2] = unit.n, column[3] = unit.q;
    dh = unit.dh;
  } else {
    column[0] = ElmanCell<M, cell == Cell::elmanRelu>::backward(now, dh);
    dh = 0;
  }
}

// kColumns contiguous numbers, aligned.
template <int kColumns>
__device__ __forceinline__ void loadColumns(const float* from, float (&to)[kColumns]) {
  if constexpr (kColumns == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
  } else {
#pragma unroll
    for (int q = 0; q < kColumns; q++) to[q] = from[q];
  }
}
template <int kColumns>
__device__ __forceinline__ void storeColumns(float* to, const float (&from)[kColumns]) {
  if constexpr (kColumns == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
  } else {
#pragma unroll
    for (int q = 0; q < kColumns; q++) to[q] = from[q];
  }
}

}  // namespace packed_rnn::cuda
