// Softmax over rows and over the tokens of sequences, and layer normalisation.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// y = exp(x - max) / Σ exp(x - max) for each row, or its logarithm.
struct Softmax {
  static constexpr auto name = "softmax";
  std::int64_t rows, columns;
  bool logarithm;
  const float* x;
  float* y;

  using O = Softmax;
  using Fields = List<Extent<&O::rows>, Extent<&O::columns>, Flag<&O::logarithm>,
                      Read<&O::x, &O::rows, &O::columns>, Write<&O::y, &O::rows, &O::columns>>;
};
// dX = y (dY - Σ y dY), or dY - eʸ Σ dY for the logarithm
struct SoftmaxBackward {
  static constexpr auto name = "softmaxBackward";
  std::int64_t rows, columns;
  bool logarithm;
  const float* y;
  const float* dY;
  float* dX;

  using O = SoftmaxBackward;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Flag<&O::logarithm>, Read<&O::y, &O::rows, &O::columns>,
           Read<&O::dY, &O::rows, &O::columns>, Write<&O::dX, &O::rows, &O::columns>>;
};

// The same for the rows of each sequence, column by column.
struct SegmentSoftmax {
  static constexpr auto name = "segmentSoftmax";
  Sequences sequences;
  std::int64_t columns;
  const float* x;
  float* y;

  PACKED_RNN_DESCRIBED std::int64_t N() const { return sequences.rows(); }
  using O = SegmentSoftmax;
  using Fields = List<Offsets<&O::sequences>, Extent<&O::columns>, Read<&O::x, &O::N, &O::columns>,
                      Write<&O::y, &O::N, &O::columns>>;
};
struct SegmentSoftmaxBackward {
  static constexpr auto name = "segmentSoftmaxBackward";
  Sequences sequences;
  std::int64_t columns;
  const float* y;
  const float* dY;
  float* dX;

  PACKED_RNN_DESCRIBED std::int64_t N() const { return sequences.rows(); }
  using O = SegmentSoftmaxBackward;
  using Fields = List<Offsets<&O::sequences>, Extent<&O::columns>, Read<&O::y, &O::N, &O::columns>,
                      Read<&O::dY, &O::N, &O::columns>, Write<&O::dX, &O::N, &O::columns>>;
};

// y = (x - mean) / √(variance + ε) · weight + bias over each row (Ba et al. 2016); the variance divides by
// the number of columns. `rate` is 1 / √(variance + ε).
struct LayerNorm {
  static constexpr auto name = "layerNorm";
  std::int64_t rows, columns;
  float epsilon;
  const float* x;
  const float* weight;  // optional: ones
  const float* bias;    // optional: zeros
  float* y;
  float* mean;
  float* rate;

  using O = LayerNorm;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Number<&O::epsilon>, Read<&O::x, &O::rows, &O::columns>,
           Optional<Read<&O::weight, &O::columns>>, Optional<Read<&O::bias, &O::columns>>,
           Write<&O::y, &O::rows, &O::columns>, Write<&O::mean, &O::rows>, Write<&O::rate, &O::rows>>;
};
// With x̂ = (x - mean) rate and g = dY weight: dX = rate (g - mean(g) - x̂ mean(g x̂)). `dWeights` is dY x̂;
// the weight's gradient is its sum over the rows.
struct LayerNormBackward {
  static constexpr auto name = "layerNormBackward";
  std::int64_t rows, columns;
  const float* x;
  const float* weight;  // optional: ones
  const float* mean;
  const float* rate;
  const float* dY;
  float* dX;        // optional
  float* dWeights;  // optional

  using O = LayerNormBackward;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Read<&O::x, &O::rows, &O::columns>,
           Optional<Read<&O::weight, &O::columns>>, Read<&O::mean, &O::rows>, Read<&O::rate, &O::rows>,
           Read<&O::dY, &O::rows, &O::columns>, Optional<Write<&O::dX, &O::rows, &O::columns>>,
           Optional<Write<&O::dWeights, &O::rows, &O::columns>>>;
};

using SoftmaxOps =
    List<Softmax, SoftmaxBackward, SegmentSoftmax, SegmentSoftmaxBackward, LayerNorm, LayerNormBackward>;

}  // namespace packed_rnn
