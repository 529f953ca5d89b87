// Clipping of many tensors in one op: either all tensors change or none.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// The rows of a table's gradient [V, I] that a tensor [U, I] holds. An embedding's gradient is stored this
// way.
struct GradientRows {
  std::int64_t count, columns;  // U, I
  std::int64_t tableRows;       // V; 0: the tensor is the whole gradient
  const std::int32_t* ids;      // [U], ascending, each once, in [0, V)
  PACKED_RNN_DESCRIBED bool dense() const { return tableRows == 0; }
};

// The gradients of an op that accepts gradients in rows. `rows` describes each tensor.
struct RowsOfGradients {
  std::int64_t tensors;
  const std::int64_t* columns;     // host [tensors]
  const std::int64_t* tableRows;   // host [tensors]
  const std::int32_t* const* ids;  // host [tensors]
  const std::int64_t* idCounts;    // host [tensors]

  PACKED_RNN_DESCRIBED GradientRows rows(std::int64_t i) const {
    return {idCounts[i], columns[i], tableRows[i], ids[i]};
  }
  // For a gradient in rows. A dense one may have any number of elements.
  PACKED_RNN_DESCRIBED std::int64_t gradientCount(std::int64_t i) const {
    return tableRows[i] == 0 ? -1 : times(idCounts[i], columns[i]);
  }
  PACKED_RNN_DESCRIBED std::int64_t any(std::int64_t) const { return -1; }
  using O = RowsOfGradients;
  using Fields = List<Length<&O::tensors>, Extents64<&O::columns>, Extents64<&O::tableRows>,
                      Buffers<Direction::read, &O::ids, &O::any>, Counts<&O::idCounts, &O::ids>>;
};

// values *= min(1, maxNorm / (total + 1e-6)). If an element is NaN, the total is NaN. Squares are added in
// the order that they have in the whole gradient, so rows have the same norm as the table.
struct ClipNorm : RowsOfGradients {
  static constexpr auto name = "clipNorm";
  bool largest;  // total is the largest |x|; otherwise the 2-norm
  bool mustBeFinite;
  float maxNorm;
  float* const* values;        // updated; with mustBeFinite they fail with the op
  const std::int64_t* counts;  // host [tensors]
  float* total;                // [1]: the norm over all tensors, before clipping
  // host [1], used with mustBeFinite. A total that is not finite then fails the op with ERR_NON_FINITE, and
  // the message names the tensor. The op throws, or it writes here where the device will report the failure,
  // for `Stepped` and `settle`. After a failure the values are undefined. At most kMostDoubts such ops may be
  // undecided at a time.
  const std::int32_t** refused;

  PACKED_RNN_DESCRIBED std::int64_t single() const { return 1; }
  PACKED_RNN_DESCRIBED bool failsUpdates() const { return mustBeFinite; }
  using Base = RowsOfGradients;
  using O = ClipNorm;
  using Fields =
      Join<Base::Fields,
           List<Flag<&O::largest>, Flag<&O::mustBeFinite>, Number<&O::maxNorm>,
                Buffers<Direction::update, &O::values, &O::gradientCount>, Counts<&O::counts, &O::values>,
                Write<&O::total, &O::single>, Doubts<&O::refused, &O::mustBeFinite>>>;
};
constexpr int kMostDoubts = 64;

// values = min(max(values, -limit), limit); NaN stays NaN
struct ClipValue {
  static constexpr auto name = "clipValue";
  std::int64_t tensors;
  float limit;                 // at least 0
  float* const* values;        // updated
  const std::int64_t* counts;  // host [tensors]

  PACKED_RNN_DESCRIBED std::int64_t any(std::int64_t) const { return -1; }
  using O = ClipValue;
  using Fields = List<Length<&O::tensors>, Number<&O::limit>, Buffers<Direction::update, &O::values, &O::any>,
                      Counts<&O::counts, &O::values>>;
};

using ClipOps = List<ClipNorm, ClipValue>;

}  // namespace packed_rnn
