// Reductions, cumulative ops and topK.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// The sum of all elements, in an order that depends only on their number.
struct Sum {
  static constexpr auto name = "sum";
  std::int64_t count;
  const float* values;
  float* out;  // [1]

  PACKED_RNN_DESCRIBED std::int64_t one() const { return 1; }
  using O = Sum;
  using Fields = List<Extent<&O::count>, Read<&O::values, &O::count>, Write<&O::out, &O::one>>;
};

enum class Reduction : std::int32_t { sum, sumOfSquares, max, min };

// y[o, i] = scale times the reduction of x[o, j, i] over j, in an order that depends only on n. An empty sum
// is 0, an empty maximum -∞. The first of equal values wins, and a NaN wins over all numbers.
struct Reduce {
  static constexpr auto name = "reduce";
  Reduction reduction;
  std::int64_t outer, n, inner;
  float scale;
  const float* x;
  float* y;
  std::int32_t* places;  // of a maximum or minimum: its j; -1 if there is none

  using O = Reduce;
  using Fields = List<Choice<&O::reduction>, Extent<&O::outer>, Extent<&O::n>, Extent<&O::inner>,
                      Number<&O::scale>, Read<&O::x, &O::outer, &O::n, &O::inner>,
                      Write<&O::y, &O::outer, &O::inner>, Optional<Write<&O::places, &O::outer, &O::inner>>>;
};

// y[o, j, i] = Σ x[o, j', i] over j' <= j, or over j' >= j if reversed
struct CumulativeSum {
  static constexpr auto name = "cumulativeSum";
  std::int64_t outer, n, inner;
  bool reversed;
  const float* x;
  float* y;

  using O = CumulativeSum;
  using Fields = List<Extent<&O::outer>, Extent<&O::n>, Extent<&O::inner>, Flag<&O::reversed>,
                      Read<&O::x, &O::outer, &O::n, &O::inner>, Write<&O::y, &O::outer, &O::n, &O::inner>>;
};

// y[o, j, i] = the largest x[o, j', i] over j' <= j, and its j'. The last of equal values wins, and a NaN
// wins over all numbers, as in torch.cummax.
struct CumulativeMax {
  static constexpr auto name = "cumulativeMax";
  std::int64_t outer, n, inner;
  const float* x;
  float* y;
  std::int32_t* places;

  using O = CumulativeMax;
  using Fields =
      List<Extent<&O::outer>, Extent<&O::n>, Extent<&O::inner>, Read<&O::x, &O::outer, &O::n, &O::inner>,
           Write<&O::y, &O::outer, &O::n, &O::inner>, Write<&O::places, &O::outer, &O::n, &O::inner>>;
};

// The k largest or smallest elements of each row, in order. Of equal values the first comes first. NaN is the
// largest.
struct TopK {
  static constexpr auto name = "topK";
  std::int64_t rows, columns, k;
  bool largest;
  const float* x;
  float* values;
  std::int32_t* places;

  PACKED_RNN_DESCRIBED bool fits() const { return k <= columns; }
  using O = TopK;
  using Fields = List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::k>, Flag<&O::largest>,
                      Read<&O::x, &O::rows, &O::columns>, Write<&O::values, &O::rows, &O::k>,
                      Write<&O::places, &O::rows, &O::k>>;
};

using ReductionOps = List<Sum, Reduce, CumulativeSum, CumulativeMax, TopK>;

}  // namespace packed_rnn
