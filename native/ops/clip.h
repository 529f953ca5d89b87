// Clipping over many tensors at once: all change or none.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// Which rows of a table's gradient [V, I] a tensor [U, I] holds. The gradient of an embedding is kept so.
struct GradientRows {
  std::int64_t count, columns;  // U, I
  std::int64_t tableRows;       // V; 0: the tensor is all of the gradient
  const std::int32_t* ids;      // [U], ascending, each once, in [0, V)
  PACKED_RNN_DESCRIBED bool dense() const { return tableRows == 0; }
};

// The gradients of an op that may be in rows: of each tensor, what `GradientRows` says.
struct RowsOfGradients {
  std::int64_t tensors;
  const std::int64_t* columns;     // host [tensors]
  const std::int64_t* tableRows;   // host [tensors]
  const std::int32_t* const* ids;  // host [tensors]
  const std::int64_t* idCounts;    // host [tensors]

  PACKED_RNN_DESCRIBED GradientRows rows(std::int64_t i) const {
    return {idCounts[i], columns[i], tableRows[i], ids[i]};
  }
  // Of a gradient in rows; a dense one may have any number of elements.
  PACKED_RNN_DESCRIBED std::int64_t gradientCount(std::int64_t i) const {
    return tableRows[i] == 0 ? -1 : times(idCounts[i], columns[i]);
  }
  PACKED_RNN_DESCRIBED std::int64_t any(std::int64_t) const { return -1; }
  using O = RowsOfGradients;
  using Fields = List<Length<&O::tensors>, Extents64<&O::columns>, Extents64<&O::tableRows>,
                      Buffers<Direction::read, &O::ids, &O::any>, Counts<&O::idCounts, &O::ids>>;
};

// values *= min(1, maxNorm / (total + 1e-6)). NaN counts: a total with a NaN under it is NaN. Squares are
// added in the order that they have in the whole gradient, so that rows have the norm that the table would
// have.
struct ClipNorm : RowsOfGradients {
  static constexpr auto name = "clipNorm";
  bool largest;  // total is the largest |x|, and else the 2-norm
  bool mustBeFinite;
  float maxNorm;
  float* const* values;        // updated; where the total must be finite, they fail with the op
  const std::int64_t* counts;  // host [tensors]
  float* total;                // [1]: the norm over all, before
  // host [1], where the total must be finite: then one that is not fails the op with ERR_NON_FINITE, naming
  // the tensor. It throws, or leaves here where the device will say so, for `Stepped` and `settle`; then the
  // values hold anything. Of no more than kMostDoubts such ops the end may be open.
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

// values = min(max(values, -limit), limit); NaN stays
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
