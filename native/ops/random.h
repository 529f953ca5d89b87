// Random numbers: Philox4x32-10 of a key and a counter.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// y = x / (1 - p) for an element that is kept, otherwise 0. An element is kept if its random integer is at
// least p 2³². The integer is Philox4x32-10 under key `seed` at (step, stream · directions + direction,
// sequence, t, unit), so a mask depends only on the element's place. Forward and backward are the same op.
struct Dropout {
  static constexpr auto name = "dropout";
  std::int64_t rows, columns;  // N, directions · units
  std::int64_t directions;     // parts of a row with separate unit numbers; 1 if it has no parts
  Sequences sequences;         // whose tokens are the rows; count 0: row r is sequence r at t = 0
  std::uint64_t seed;
  std::uint32_t step, stream;
  float p;  // in [0, 1]
  const float* x;
  float* y;  // may be x

  PACKED_RNN_DESCRIBED bool fits() const {
    return directions > 0 && columns % directions == 0 && (sequences.count == 0 || sequences.rows() == rows);
  }
  using O = Dropout;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::directions>, Optional<Offsets<&O::sequences>>,
           Number<&O::seed>, Number<&O::step>, Number<&O::stream>, Number<&O::p>,
           Read<&O::x, &O::rows, &O::columns>, Write<&O::y, &O::rows, &O::columns>>;
};

enum class Distribution : std::int32_t {
  uniform,  // in [0, 1), multiples of 2^-24
  normal,   // of mean 0 and variance 1, by Box and Muller (1958)
};

// Element i is computed from word i % 4 of the integers at (step, stream, i / 4), a normal one from that word
// and its neighbour.
struct Draw {
  static constexpr auto name = "draw";
  Distribution distribution;
  std::int64_t count;
  std::uint64_t seed;
  std::uint32_t step, stream;
  float* out;

  using O = Draw;
  using Fields = List<Choice<&O::distribution>, Extent<&O::count>, Number<&O::seed>, Number<&O::step>,
                      Number<&O::stream>, Write<&O::out, &O::count>>;
};

using RandomOps = List<Dropout, Draw>;

}  // namespace packed_rnn
