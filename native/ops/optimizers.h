// A step of an optimiser over all its parameters at once: all change or none. The rules are in cells.h.
#pragma once

#include "ops/clip.h"

namespace packed_rnn {

// What every optimiser steps: the parameters that have a gradient, of all its groups. Arrays are the host's,
// with an entry for each tensor; options[i] are those of its group.
struct Stepped {
  std::int64_t tensors;
  float* const* parameters;       // updated
  const std::int64_t* counts;     //
  const float* const* gradients;  // each [counts[i]]
  // Each [1], updated: how many steps the parameter has taken, exact up to 2^24, where it stays. It is the
  // device's, so that a step that fails is not counted. Null where the rule does not ask.
  float* const* steps;
  const std::int32_t* refused;  // [1], optional: where it is not 0, the gradients failed, and nothing changes

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

// maximize: the parameters climb, along the gradient with its sign turned before anything else.
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
// One step in the numbers that it computes with, which cells.h makes of the options and t.
struct AdamScalars {
  float rate1, beta2, rate2;  // 1 - β₁, β₂, 1 - β₂
  float stepSize, rootCorrection, epsilon;
  float weightDecay, growth;          // λ in the gradient; -lr λ where the decay is outside of it
  float updateScale, epsilonSquared;  // see AdamRule::isNegligible
  float rest;  // the gradient of the rows that had none: 0, or NaN where clipping made it that
  std::int32_t amsgrad, maximize;
};
// The latest steps of a table. Where a gradient is in rows, a step is written down and only those rows make
// it; a row makes up for the steps that it missed, with their numbers and in their order, when it is stepped
// or read the next time, and so has the bits that a dense gradient gives it.
constexpr int kMostMissedSteps = 256;
struct MissedSteps {
  std::int32_t* count;   // [1]: steps in `scalars`
  std::int32_t* made;    // [V]: how many of them a row has made
  AdamScalars* scalars;  // [kMostMissedSteps]
};
// They lie in one buffer: scalars, count, made.
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
// Rows of a table make all steps that are written down; after all rows have, they are forgotten. Where no
// step had memory there is nothing to do.
struct AdamCatchUp {
  static constexpr auto name = "adamCatchUp";
  std::int64_t rows, columns;  // V, I
  std::int64_t count;          // of ids
  float* parameter;            // [V, I], updated like all that follow
  float* mean;                 // m
  float* variance;             // v
  float* maximum;              // the largest v; null without amsgrad
  std::int32_t* missed;
  const std::int32_t* ids;  // each once, in [0, V); null: all rows

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
  // Where a gradient is in rows, gradients[i] is [U, I], and there are
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
  // What is updated last has memory only where all else has.
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
  float* const* rates;     // each [1], updated: η of the next step; not read by the first

  using Base = Stepped;
  using O = AsgdStep;
  using Fields =
      Join<Base::Fields, List<Structs<&O::options>, Buffers<Direction::update, &O::averages, &O::count>,
                              Buffers<Direction::update, &O::rates, &O::one>>>;
};

// Adagrad, and RMSprop, where the sum decays.
struct AdagradOptions {
  double learningRate, rateDecay, epsilon, weightDecay;
  double keep, add;  // sum = keep · sum + add · g²
  double initial;    // the sum before the first step
  double momentum;
  bool centered;  // divides by the root of the sum less the squared average of g
  bool maximize;
  using O = AdagradOptions;
  using Fields = List<Number<&O::learningRate>, Number<&O::rateDecay>, Number<&O::epsilon>,
                      Number<&O::weightDecay>, Number<&O::keep>, Number<&O::add>, Number<&O::initial>,
                      Number<&O::momentum>, Flag<&O::centered>, Flag<&O::maximize>>;
};
struct AdagradStep : Stepped {
  static constexpr auto name = "adagradStep";
  const AdagradOptions* options;
  float* const* sums;      // each [counts[i]], updated; not read by the first step
  float* const* averages;  // of g; null where it is not centred
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
