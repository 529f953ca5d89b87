// Rows by index, and sums over rows.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// destination[r] = source[index[r]], or `fill` if index[r] < 0
struct GatherRows {
  static constexpr auto name = "gatherRows";
  std::int64_t rows, columns, sourceRows;
  float fill;
  const float* source;
  const std::int32_t* index;
  float* destination;

  using O = GatherRows;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::sourceRows>, Number<&O::fill>,
           Read<&O::source, &O::sourceRows, &O::columns>, Indices<Read<&O::index, &O::rows>, &O::sourceRows>,
           Write<&O::destination, &O::rows, &O::columns>>;
};

// destination[u] = the sum of source[order[i]] for i from starts[u] to starts[u + 1]. The order of the
// additions depends only on starts.
struct SumRows {
  static constexpr auto name = "sumRows";
  std::int64_t rows, columns, sourceRows;
  const float* source;
  const std::int32_t* starts;  // of groups: all places, each once
  const std::int32_t* order;   // of source rows
  float* destination;

  PACKED_RNN_DESCRIBED std::int64_t groups() const { return rows + 1; }
  using O = SumRows;
  using Fields = List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::sourceRows>,
                      Read<&O::source, &O::sourceRows, &O::columns>,
                      Starts<Read<&O::starts, &O::groups>, &O::sourceRows>,
                      Indices<Read<&O::order, &O::sourceRows>, &O::sourceRows, 0>,
                      Write<&O::destination, &O::rows, &O::columns>>;
};

// destination[index[r]] += source[r] if index[r] >= 0; these indices are distinct
struct AddRows {
  static constexpr auto name = "addRows";
  std::int64_t rows, columns, destinationRows;
  const float* source;
  const std::int32_t* index;
  float* destination;

  using O = AddRows;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::destinationRows>,
           Read<&O::source, &O::rows, &O::columns>, Indices<Read<&O::index, &O::rows>, &O::destinationRows>,
           Part<&O::destination, &O::destinationRows, &O::columns>>;
};

// sums[c] = the sum of source[r][c] over r
struct SumColumns {
  static constexpr auto name = "sumColumns";
  std::int64_t rows, columns;
  const float* source;
  float* sums;

  using O = SumColumns;
  using Fields = List<Extent<&O::rows>, Extent<&O::columns>, Read<&O::source, &O::rows, &O::columns>,
                      Write<&O::sums, &O::columns>>;
};

// y[o, j, i] = x[o, index[…], i]. The index is [count] for all, or with `each` [outer, count, inner].
struct TakeAlong {
  static constexpr auto name = "takeAlong";
  std::int64_t outer, n, inner, count;
  bool each;
  const float* x;
  const std::int32_t* index;
  float* y;

  PACKED_RNN_DESCRIBED std::int64_t indices() const { return each ? outer * count * inner : count; }
  using O = TakeAlong;
  using Fields =
      List<Extent<&O::outer>, Extent<&O::n>, Extent<&O::inner>, Extent<&O::count>, Flag<&O::each>,
           Read<&O::x, &O::outer, &O::n, &O::inner>, Indices<Read<&O::index, &O::indices>, &O::n, 0>,
           Write<&O::y, &O::outer, &O::count, &O::inner>>;
};
// y[o, index[…], i] += x[o, j, i], in the order of j
struct AddAlong {
  static constexpr auto name = "addAlong";
  std::int64_t outer, n, inner, count;
  bool each;
  const float* x;
  const std::int32_t* index;
  float* y;

  PACKED_RNN_DESCRIBED std::int64_t indices() const { return each ? outer * count * inner : count; }
  using O = AddAlong;
  using Fields =
      List<Extent<&O::outer>, Extent<&O::n>, Extent<&O::inner>, Extent<&O::count>, Flag<&O::each>,
           Read<&O::x, &O::outer, &O::count, &O::inner>, Indices<Read<&O::index, &O::indices>, &O::n, 0>,
           Part<&O::y, &O::outer, &O::n, &O::inner>>;
};

using RowOps = List<GatherRows, SumRows, AddRows, SumColumns, TakeAlong, AddAlong>;

}  // namespace packed_rnn
