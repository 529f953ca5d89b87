// Losses with their gradients.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// loss = Σ over rows and classes of -target log softmax(logits). A row's targets are s / classes for every
// class, plus 1 - s for its label, each times the weight of the class; s = labelSmoothing. A row with the
// label `ignoreIndex` adds nothing. `mean` divides by the sum of the weights of the labels.
struct CrossEntropy {
  static constexpr auto name = "crossEntropy";
  std::int64_t rows, classes;
  std::int32_t ignoreIndex;
  float labelSmoothing;  // in [0, 1]
  bool mean;
  bool normalized;  // the logits are already logarithms of probabilities, so softmax is skipped
  const float* logits;
  const std::int32_t* labels;  // each in [0, classes) or ignoreIndex
  const float* weight;         // optional: ones
  float* loss;                 // [1]
  float* losses;               // of each row, before they are summed; optional
  float* gradient;             // of the loss with respect to the logits; optional

  PACKED_RNN_DESCRIBED std::int64_t one() const { return 1; }
  using O = CrossEntropy;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::classes>, Number<&O::ignoreIndex>, Number<&O::labelSmoothing>,
           Flag<&O::mean>, Flag<&O::normalized>, Read<&O::logits, &O::rows, &O::classes>,
           Indices<Read<&O::labels, &O::rows>, &O::classes, 0>, Optional<Read<&O::weight, &O::classes>>,
           Write<&O::loss, &O::one>, Optional<Write<&O::losses, &O::rows>>,
           Optional<Write<&O::gradient, &O::rows, &O::classes>>>;
};

using LossOps = List<CrossEntropy>;

}  // namespace packed_rnn
