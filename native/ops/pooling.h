// From the rows of each sequence to one row, and the reverse.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

enum class Pooling : std::int32_t { sum, mean, max };

// out[b] = the sum, the mean or the maximum of the rows of sequence b, column by column; 0 for an empty
// sequence. The first of equal values wins, and NaN is larger than every number.
struct SegmentReduce {
  static constexpr auto name = "segmentReduce";
  Pooling pooling;
  Sequences sequences;  // B of N rows
  std::int64_t columns;
  const float* rows;
  float* out;
  std::int32_t* places;  // of the maximum: its row, -1 if there is none

  PACKED_RNN_DESCRIBED std::int64_t N() const { return sequences.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t B() const { return sequences.count; }
  using O = SegmentReduce;
  using Fields = List<Choice<&O::pooling>, Offsets<&O::sequences>, Extent<&O::columns>,
                      Read<&O::rows, &O::N, &O::columns>, Write<&O::out, &O::B, &O::columns>,
                      Optional<Write<&O::places, &O::B, &O::columns>>>;
};

// rows[n] = values[b] for each row of sequence b; for the mean's gradient, divided by the number of rows
struct SegmentRepeat {
  static constexpr auto name = "segmentRepeat";
  bool mean;
  Sequences sequences;
  std::int64_t columns;
  const float* values;
  float* rows;

  PACKED_RNN_DESCRIBED std::int64_t N() const { return sequences.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t B() const { return sequences.count; }
  using O = SegmentRepeat;
  using Fields = List<Flag<&O::mean>, Offsets<&O::sequences>, Extent<&O::columns>,
                      Read<&O::values, &O::B, &O::columns>, Write<&O::rows, &O::N, &O::columns>>;
};

// rows[n] = values[b] if places[b] is n, column by column; otherwise 0
struct SegmentPlace {
  static constexpr auto name = "segmentPlace";
  Sequences sequences;
  std::int64_t columns;
  const std::int32_t* places;  // a row of sequence b, or -1
  const float* values;
  float* rows;

  PACKED_RNN_DESCRIBED std::int64_t N() const { return sequences.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t B() const { return sequences.count; }
  PACKED_RNN_DESCRIBED std::int64_t none() const { return 0; }
  using O = SegmentPlace;
  using Fields = List<Offsets<&O::sequences>, Extent<&O::columns>,
                      Indices<Read<&O::places, &O::B, &O::columns>, &O::none>,
                      Read<&O::values, &O::B, &O::columns>, Write<&O::rows, &O::N, &O::columns>>;
};

using PoolingOps = List<SegmentReduce, SegmentRepeat, SegmentPlace>;

}  // namespace packed_rnn
