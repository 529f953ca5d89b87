// A step of an optimiser over all its parameters in one op: either all change or none. The rules are in
// cells.h.
#pragma once

#include "ops/clip.h"

namespace packed_rnn {

// What all optimisers share: the parameters that have a gradient, from all groups. Arrays are on the host,
// with an entry for each tensor; options[i] are those of its group.
struct Stepped {
  std::int64_t tensors;
  float* const* parameters;       // updated
  const std::int64_t* counts;     // elements of each
  const float* const* gradients;  // each [counts[i]]
  // Each [1], updated: the number of steps that the parameter has taken, exact up to 2^24, where it stays. It
  // is on the device, so that a step that fails is not counted. Null if the rule does not need it.
  float* const* steps;
  const std::int32_t* refused;  // [1], optional: if it is not 0, the gradients failed and nothing changes

  PACKED_RNN_DESCRIBED std::int64_t any(std::int64_t) const { return -1; }
  PACKED_RNN_DESCRIBED std::int64_t one(std::int64_t) const { return 1; }
  PACKED_RNN_DESCRIBED std::int64_t count(std::int64_t i) const { return counts[i]; }
  using O = Stepped;
  template <auto parameterCount, auto gradientCount>
  using FieldsOf =
      List<Length<&O::tensors>, Buffers<Direction::update, &O::parameters, parameterCount>,
           Counts<&O::counts, &O::parameters>, Buffers<Direction::read, &O::gradients, gradientCount>,
           Buffers<Direction::update, &O::steps, &O::one>, Heeds<&O::refused>>;
  using Fields = FieldsOf<&O::any, &O::count>;
};

// maximize: the parameters ascend. The gradient's sign is changed before anything else.
struct SgdOptions {
  double learningRate, momentum, dampening, weightDecay;
  bool nesterov, maximize;
  using O = SgdOptions;
  using Fields = List<Number<&O::learningRate>, Number<&O::momentum>, Number<&O::dampening>,
                      Number<&O::weightDecay>, Flag<&O::nesterov>, Flag<&O::maximize>>;
};
struct SgdStep : Stepped {
  static constexpr auto name = "sgdStep";
  const SgdOptions* options;
  float* const* momenta;  // each [counts[i]], updated; null, like steps, without momentum

  using Base = Stepped;
  using O = SgdStep;
  using Fields =
      Join<Base::Fields, List<Structs<&O::options>, Buffers<Direction::update, &O::momenta, &O::count>>>;
};

struct AdamOptions {
  double learningRate, beta1, beta2, epsilon, weightDecay;
  bool decoupled;  // AdamW: the decay acts on the parameter and not on the gradient
  bool amsgrad, maximize;
  using O = AdamOptions;
  using Fields = List<Number<&O::learningRate>, Number<&O::beta1>, Number<&O::beta2>, Number<&O::epsilon>,
                      Number<&O::weightDecay>, Flag<&O::decoupled>, Flag<&O::amsgrad>, Flag<&O::maximize>>;
};
// The scalars of one step of Adam, computed by cells.h from the options and t.
struct AdamScalars {
  float rate1, beta2, rate2;  // 1 - β₁, β₂, 1 - β₂
  float stepSize, rootCorrection, epsilon;
  float weightDecay, growth;          // λ, added to the gradient; -lr λ if decoupled
  float updateScale, epsilonSquared;  // see AdamRule::isNegligible
  float rest;                         // gradient of rows without one: 0, or NaN if clipping made it NaN
  std::int32_t amsgrad, maximize;
};
// The latest steps of a table. If a gradient is in rows, the step is recorded and applied to those rows only.
// A row applies its missed steps, with their scalars and in their order, when it is next stepped or read. So
// it has the same bits as with a dense gradient.
constexpr int kMostMissedSteps = 256;
struct MissedSteps {
  std::int32_t* count;   // [1]: steps in `scalars`
  std::int32_t* made;    // [V]: how many of them a row has applied
  AdamScalars* scalars;  // [kMostMissedSteps]
};
// They share one buffer: scalars, count, made.
static_assert(sizeof(AdamScalars) % sizeof(std::int32_t) == 0);
PACKED_RNN_DESCRIBED constexpr std::int64_t missedStepsWords(std::int64_t tableRows) {
  return kMostMissedSteps * static_cast<std::int64_t>(sizeof(AdamScalars) / sizeof(std::int32_t)) + 1 +
         tableRows;
}
PACKED_RNN_DESCRIBED MissedSteps missedStepsIn(std::int32_t* words) {
  if (words == nullptr) return {};
  auto* const scalars = reinterpret_cast<AdamScalars*>(words);
  auto* const count = reinterpret_cast<std::int32_t*>(scalars + kMostMissedSteps);
  return {count, count + 1, scalars};
}
// Rows of a table apply all recorded steps. After all rows have done so, the record is cleared. If no step
// had memory, there is nothing to do.
struct AdamCatchUp {
  static constexpr auto name = "adamCatchUp";
  std::int64_t rows, columns;  // V, I
  std::int64_t count;          // of ids
  float* parameter;            // [V, I], updated, like the next four
  float* mean;                 // m
  float* variance;             // v
  float* maximum;              // the largest v; null without amsgrad
  std::int32_t* missed;
  const std::int32_t* ids;  // distinct, in [0, V); null: all rows

  PACKED_RNN_DESCRIBED std::int64_t words() const { return missedStepsWords(rows); }
  PACKED_RNN_DESCRIBED bool nothingToDo() const { return missed == nullptr; }
  PACKED_RNN_DESCRIBED MissedSteps missedSteps() const { return missedStepsIn(missed); }
  using O = AdamCatchUp;
  using Fields =
      List<Extent<&O::rows>, Extent<&O::columns>, Extent<&O::count>,
           Borrow<&O::parameter, &O::rows, &O::columns>, Borrow<&O::mean, &O::rows, &O::columns>,
           Borrow<&O::variance, &O::rows, &O::columns>, Optional<Borrow<&O::maximum, &O::rows, &O::columns>>,
           Borrow<&O::missed, &O::words>, Optional<Indices<Read<&O::ids, &O::count>, &O::rows, 0>>>;
};
struct AdamStep : Stepped {
  static constexpr auto name = "adamStep";
  const AdamOptions* options;
  float* const* means;      // each [counts[i]], updated: m
  float* const* variances;  // v
  float* const* maxima;     // the largest v; null without amsgrad
  // If a gradient is in rows, gradients[i] is [U, I], and these are set:
  const std::int64_t* columns;
  const std::int64_t* tableRows;
  const std::int32_t* const* ids;
  const std::int64_t* idCounts;
  const float* const* rests;    // each [1]: AdamScalars::rest
  std::int32_t* const* missed;  // updated: fewer than kMostMissedSteps before

  PACKED_RNN_DESCRIBED GradientRows rows(std::int64_t i) const {
    return {idCounts[i], columns[i], tableRows[i], ids[i]};
  }
  PACKED_RNN_DESCRIBED std::int64_t parameterCount(std::int64_t i) const {
    return tableRows[i] == 0 ? -1 : times(tableRows[i], columns[i]);
  }
  PACKED_RNN_DESCRIBED std::int64_t gradientCount(std::int64_t i) const {
    return tableRows[i] == 0 ? counts[i] : times(idCounts[i], columns[i]);
  }
  PACKED_RNN_DESCRIBED std::int64_t words(std::int64_t i) const { return missedStepsWords(tableRows[i]); }
  using Base = Stepped;
  using O = AdamStep;
  // The buffers that are updated last have memory only if all others have.
  using Fields = Join<
      List<Extents64<&O::columns>, Extents64<&O::tableRows>, Buffers<Direction::read, &O::ids, &O::any>,
           Counts<&O::idCounts, &O::ids>>,
      Stepped::FieldsOf<&O::parameterCount, &O::gradientCount>,
      List<Structs<&O::options>, Buffers<Direction::update, &O::means, &O::count>,
           Buffers<Direction::update, &O::variances, &O::count>,
           Buffers<Direction::update, &O::maxima, &O::count>, Buffers<Direction::read, &O::rests, &O::one>,
           Buffers<Direction::update, &O::missed, &O::words>>>;
};

struct AsgdOptions {
  double learningRate, lambda, alpha, t0, weightDecay;
  bool maximize;
  using O = AsgdOptions;
  using Fields = List<Number<&O::learningRate>, Number<&O::lambda>, Number<&O::alpha>, Number<&O::t0>,
                      Number<&O::weightDecay>, Flag<&O::maximize>>;
};
struct AsgdStep : Stepped {
  static constexpr auto name = "asgdStep";
  const AsgdOptions* options;
  float* const* averages;  // each [counts[i]], updated
  float* const* rates;     // each [1], updated: η of the next step; the first step does not read it

  using Base = Stepped;
  using O = AsgdStep;
  using Fields =
      Join<Base::Fields, List<Structs<&O::options>, Buffers<Direction::update, &O::averages, &O::count>,
                              Buffers<Direction::update, &O::rates, &O::one>>>;
};

// Adagrad, and RMSprop, whose sum decays.
struct AdagradOptions {
  double learningRate, rateDecay, epsilon, weightDecay;
  double keep, add;  // sum = keep · sum + add · g²
  double initial;    // the sum before the first step
  double momentum;
  bool centered;  // divides by the root of the sum minus the squared average of g
  bool maximize;
  using O = AdagradOptions;
  using Fields = List<Number<&O::learningRate>, Number<&O::rateDecay>, Number<&O::epsilon>,
                      Number<&O::weightDecay>, Number<&O::keep>, Number<&O::add>, Number<&O::initial>,
                      Number<&O::momentum>, Flag<&O::centered>, Flag<&O::maximize>>;
};
struct AdagradStep : Stepped {
  static constexpr auto name = "adagradStep";
  const AdagradOptions* options;
  float* const* sums;      // each [counts[i]], updated; the first step does not read it
  float* const* averages;  // of g; null if not centred
  float* const* momenta;   // null without momentum

  using Base = Stepped;
  using O = AdagradStep;
  using Fields =
      Join<Base::Fields, List<Structs<&O::options>, Buffers<Direction::update, &O::sums, &O::count>,
                              Buffers<Direction::update, &O::averages, &O::count>,
                              Buffers<Direction::update, &O::momenta, &O::count>>>;
};

using OptimizerOps = List<SgdStep, AdamStep, AdamCatchUp, AsgdStep, AdagradStep>;

}  // namespace packed_rnn
