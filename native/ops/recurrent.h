// One layer of a recurrent network in one or two directions, over packed rows. Direction 1 reads each
// sequence from its end.
#pragma once

#include <array>

#include "ops/basics.h"

namespace packed_rnn {

enum class Cell : std::int32_t {
  lstm,           // gates i, f, g, o
  gru,            // gates r, z, n; the reset gate acts after the product, as in PyTorch
  resetFirstGru,  // gates r, z, n; the reset gate acts before the product
  elmanTanh,      // one gate
  elmanRelu,      // one gate
};
// The number of gates of a cell: G.
PACKED_RNN_DESCRIBED constexpr std::int64_t gatesOf(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::resetFirstGru ? 3 : 1;
}

// The weights of one direction of one layer. R, the size of h, is P with a projection (LSTM only), otherwise
// H.
struct RecurrentWeights {
  const float* wIh;  // [G·H, I]
  const float* wHh;  // [G·H, R]
  const float* bIh;  // [G·H], optional
  const float* bHh;  // [G·H], optional
  const float* wHr;  // [P, H]; null if projectionSize is 0
};
struct RecurrentGradients {
  float* wIh;  // [G·H, I]; all of these are optional
  float* wHh;  // [G·H, R]
  float* bIh;  // [G·H]
  float* bHh;  // [G·H]
  float* wHr;  // [P, H]
};

struct RecurrentShape {
  Cell cell;
  std::int64_t inputSize, hiddenSize, projectionSize, directions;  // I, H, P (0: none), D
  std::int64_t rows, distinctRows;                                 // N, U; equal if the rows are not indexed
  std::int64_t layer, layers;  // the layer's place in a stack, whose states h0, c0, hN and cN hold
  Sequences sequences;         // B of them

  PACKED_RNN_DESCRIBED std::int64_t gates() const { return gatesOf(cell) * hiddenSize; }
  PACKED_RNN_DESCRIBED std::int64_t R() const { return projectionSize > 0 ? projectionSize : hiddenSize; }
  PACKED_RNN_DESCRIBED std::int64_t outputs() const { return directions * R(); }
  PACKED_RNN_DESCRIBED std::int64_t states() const { return directions * sequences.count; }  // of a layer
  PACKED_RNN_DESCRIBED std::int64_t hBegin() const { return layer * states() * R(); }
  PACKED_RNN_DESCRIBED std::int64_t cBegin() const { return layer * states() * hiddenSize; }
  PACKED_RNN_DESCRIBED std::int64_t groups() const { return distinctRows + 1; }
  using O = RecurrentShape;
  using Fields =
      List<Choice<&O::cell>, Extent<&O::inputSize>, Extent<&O::hiddenSize>, Extent<&O::projectionSize>,
           Extent<&O::directions>, Extent<&O::rows>, Extent<&O::distinctRows>, Extent<&O::layer>,
           Extent<&O::layers>, Offsets<&O::sequences>>;
};

// The three arrays of an indexed input; null if it is not indexed.
struct RowIndex {
  const std::int32_t* index;
  const std::int32_t* starts;
  const std::int32_t* order;
};

// What the forward and the backward op share. Row n of the input is distinct row index[n]. The three arrays
// are null if the rows are not indexed. For a cell without c (all except the LSTM) c0, cN and their gradients
// are null. The state pointers point to the layer's own states, [D, B, R] and [D, B, H].
struct RecurrentInput : RecurrentShape {
  const float* x;
  const std::int32_t* index;   // each in [0, U)
  const std::int32_t* starts;  // the places of distinct row u are order[starts[u]] to order[starts[u + 1]]
  const std::int32_t* order;   // ascending within a distinct row
  Two<RecurrentWeights> weights;
  const float* h0;  // optional: zeros
  const float* c0;  // optional: zeros
  Kept** kept;      // host [1], optional: what a pass with the same weights derived from them

  PACKED_RNN_DESCRIBED bool fits() const {
    return layer < layers && directions <= 2 && rows == sequences.rows();
  }
  PACKED_RNN_DESCRIBED RowIndex rowIndex() const { return {index, starts, order}; }
  using Base = RecurrentShape;
  using O = RecurrentInput;
  using W = RecurrentWeights;
  static constexpr auto read = Direction::read;
  using Weights =
      List<Required<Directed<read, &O::weights, &W::wIh, &O::gates, &O::inputSize>>,
           Required<Directed<read, &O::weights, &W::wHh, &O::gates, &O::R>>,
           Directed<read, &O::weights, &W::bIh, &O::gates>, Directed<read, &O::weights, &W::bHh, &O::gates>,
           Directed<read, &O::weights, &W::wHr, &O::projectionSize, &O::hiddenSize>>;
  using Fields = Join<Base::Fields,
                      List<Read<&O::x, &O::distinctRows, &O::inputSize>,
                           Optional<Indices<Read<&O::index, &O::rows>, &O::distinctRows, 0>>,
                           Optional<Starts<Read<&O::starts, &O::groups>, &O::rows>>,
                           Optional<Indices<Read<&O::order, &O::rows>, &O::rows, 0>>>,
                      Weights,
                      List<Optional<Behind<Read<&O::h0, &O::layers, &O::states, &O::R>, &O::hBegin>>,
                           Optional<Behind<Read<&O::c0, &O::layers, &O::states, &O::hiddenSize>, &O::cBegin>>,
                           Keeps<&O::kept>>>;
  using KeptOf = Weights;
  PACKED_RNN_DESCRIBED bool keeps() const { return true; }
  PACKED_RNN_DESCRIBED std::array<std::int64_t, 5> keptShape() const {
    return {static_cast<std::int64_t>(cell), inputSize, hiddenSize, projectionSize, directions};
  }
};

struct RecurrentForward : RecurrentInput {
  static constexpr auto name = "recurrentForward";
  std::int64_t savedCount;
  float* output;  // [N, D·R]
  float* hN;
  float* cN;
  float* saved;  // what a backward pass needs, in the backend's own layout; null: no backward pass

  using Base = RecurrentInput;
  using O = RecurrentForward;
  using Fields =
      Join<Base::Fields,
           List<FromBackend<&O::savedCount>, Write<&O::output, &O::rows, &O::outputs>,
                Behind<Write<&O::hN, &O::layers, &O::states, &O::R>, &O::hBegin>,
                Optional<Behind<Write<&O::cN, &O::layers, &O::states, &O::hiddenSize>, &O::cBegin>>,
                Optional<Write<&O::saved, &O::savedCount>>>>;
};

struct RecurrentBackward : RecurrentInput {
  static constexpr auto name = "recurrentBackward";
  static constexpr bool usesUp = true;
  std::int64_t savedCount;
  const float* output;   // of the forward pass, like saved
  float* saved;          // consumed: gate gradients overwrite the gates
  const float* dOutput;  // [N, D·R], optional: zeros; so are dHN and dCN
  const float* dHN;
  const float* dCN;
  float* dX;  // [U, I], optional
  Two<RecurrentGradients> gradients;
  float* dH0;  // optional
  float* dC0;  // optional

  using Base = RecurrentInput;
  using O = RecurrentBackward;
  using G = RecurrentGradients;
  static constexpr auto write = Direction::write;
  using Fields =
      Join<Base::Fields,
           List<FromBackend<&O::savedCount>, Read<&O::output, &O::rows, &O::outputs>,
                Update<&O::saved, &O::savedCount>, Optional<Read<&O::dOutput, &O::rows, &O::outputs>>,
                Optional<Behind<Read<&O::dHN, &O::layers, &O::states, &O::R>, &O::hBegin>>,
                Optional<Behind<Read<&O::dCN, &O::layers, &O::states, &O::hiddenSize>, &O::cBegin>>,
                Optional<Write<&O::dX, &O::distinctRows, &O::inputSize>>,
                Directed<write, &O::gradients, &G::wIh, &O::gates, &O::inputSize>,
                Directed<write, &O::gradients, &G::wHh, &O::gates, &O::R>,
                Directed<write, &O::gradients, &G::bIh, &O::gates>,
                Directed<write, &O::gradients, &G::bHh, &O::gates>,
                Directed<write, &O::gradients, &G::wHr, &O::projectionSize, &O::hiddenSize>,
                Optional<Behind<Write<&O::dH0, &O::layers, &O::states, &O::R>, &O::hBegin>>,
                Optional<Behind<Write<&O::dC0, &O::layers, &O::states, &O::hiddenSize>, &O::cBegin>>>>;
};

using RecurrentOps = List<RecurrentForward, RecurrentBackward>;

}  // namespace packed_rnn
