// Ops over many tensors at once: clipping and the optimisers, two steps each, so that a step also reads what
// the one before it wrote.
#include "driver.h"

namespace driver {

namespace {

// Parameters of a few sizes, from a single number to more than a block takes.
struct Tensors {
  std::vector<std::int64_t> counts = {1, 33, 5000, 128};
  std::vector<float*> parameters, first, second, third, steps;
  std::vector<const float*> gradients;
  const std::int32_t* refused = nullptr;

  explicit Tensors(Device& device) {
    for (const std::int64_t count : counts) {
      parameters.push_back(device.alsoResult(device.random(count), count));
      gradients.push_back(device.random(count, 0.1f));
      for (auto* const state : {&first, &second, &third})
        state->push_back(device.alsoResult(device.filled(count, 0), count));
      steps.push_back(device.alsoResult(device.filled(1, 0), 1));
    }
  }
  Stepped stepped() const {
    return {static_cast<std::int64_t>(counts.size()),
            counts.data(),
            parameters.data(),
            gradients.data(),
            steps.data(),
            refused};
  }
  template <class Options>
  std::vector<Options> each(const Options& options) const {
    return std::vector<Options>(counts.size(), options);
  }
};

// Of the tensors, the last one in rows of a table: 4 of its 9 rows of 32 numbers.
std::vector<GradientRows> rowsOf(Device& device, const Tensors& tensors) {
  std::vector<GradientRows> rows(tensors.counts.size(), GradientRows{});
  rows.back() = {4, 32, 9, device.integers({0, 3, 4, 8})};
  return rows;
}

void clip(Device& device) {
  Tensors tensors(device);
  const std::int64_t count = static_cast<std::int64_t>(tensors.counts.size());
  const std::vector<GradientRows> rows = rowsOf(device, tensors);
  for (const bool largest : {false, true}) {
    const std::int32_t* refused = nullptr;
    device.backend->clipNorm({count, tensors.counts.data(), tensors.parameters.data(), rows.data(), 0.5f,
                              largest, device.result(1), &refused});
    device.backend->synchronize();
    Error reason{"", {}};
    if (refused != nullptr && device.backend->settle(refused, reason)) throw reason;
  }
  device.backend->clipValue({count, tensors.counts.data(), tensors.parameters.data(), 0.001f});
}

void sgd(Device& device, double momentum, bool nesterov) {
  Tensors tensors(device);
  const auto options = tensors.each(SgdOptions{0.1, momentum, 0, 0.01, nesterov});
  SgdStep step = {tensors.stepped(), options.data(), tensors.first.data()};
  const std::vector<float*> none(tensors.counts.size(), nullptr);
  if (momentum == 0) step.stepped.steps = step.momenta = none.data();
  for (int i = 0; i < 2; i++) device.backend->sgdStep(step);
}

void adam(Device& device, bool decoupled, bool amsgrad) {
  Tensors tensors(device);
  const auto options = tensors.each(AdamOptions{0.01, 0.9, 0.999, 1e-8, 0.01, decoupled, amsgrad});
  const std::vector<float*> none(tensors.counts.size(), nullptr);
  const std::vector<GradientRows> dense(tensors.counts.size(), GradientRows{});
  const AdamStep step = {tensors.stepped(),
                         options.data(),
                         tensors.first.data(),
                         tensors.second.data(),
                         amsgrad ? tensors.third.data() : none.data(),
                         dense.data(),
                         nullptr,
                         nullptr};
  for (int i = 0; i < 2; i++) device.backend->adamStep(step);
}

// The last gradient in rows of a table, that of 5,000 numbers.
void adamOnRows(Device& device) {
  Tensors tensors(device);
  const std::int64_t V = 125, I = 40;
  std::swap(tensors.counts[2], tensors.counts[3]);
  for (auto* const all : {&tensors.parameters, &tensors.first, &tensors.second, &tensors.third})
    std::swap((*all)[2], (*all)[3]);
  const auto options = tensors.each(AdamOptions{0.01, 0.9, 0.999, 1e-8, 0.01, false, true});
  std::vector<MissedSteps> missed(4);
  const auto zeros = [&](std::int64_t n) { return reinterpret_cast<std::int32_t*>(device.filled(n, 0)); };
  missed[3] = {zeros(1), zeros(V),
               reinterpret_cast<AdamScalars*>(zeros(kMostMissedSteps * sizeof(AdamScalars) / 4))};
  const std::vector<const float*> rests(4, device.filled(1, 0));
  const auto stepRows = [&](const std::vector<std::int32_t>& ids) {
    std::vector<GradientRows> rows(4, GradientRows{});
    const auto count = static_cast<std::int64_t>(ids.size());
    rows[3] = {count, I, V, device.integers(ids)};
    tensors.counts[3] = count * I;
    tensors.gradients[3] = device.random(count * I);
    device.backend->adamStep({tensors.stepped(), options.data(), tensors.first.data(), tensors.second.data(),
                              tensors.third.data(), rows.data(), rests.data(), missed.data()});
  };
  AdamCatchUp catchUp = {
      V,         I, tensors.parameters[3],    tensors.first[3], tensors.second[3], tensors.third[3],
      missed[3], 2, device.integers({1, 124})};
  stepRows({0, 1, 70, 124});
  stepRows({1, 2, 3, 4, 5, 6, 7, 8, 9, 99});
  device.backend->adamCatchUp(catchUp);
  stepRows({124});
  catchUp.ids = nullptr;
  device.backend->adamCatchUp(catchUp);
  stepRows({});
  device.backend->adamCatchUp(catchUp);
}

void asgd(Device& device) {
  Tensors tensors(device);
  std::vector<float*> rates;
  for (std::size_t i = 0; i < tensors.counts.size(); i++) rates.push_back(device.result(1));
  const auto options = tensors.each(AsgdOptions{0.1, 1e-4, 0.75, 1, 0.01});
  for (int i = 0; i < 3; i++)
    device.backend->asgdStep({tensors.stepped(), options.data(), tensors.first.data(), rates.data()});
}

void adagrad(Device& device, double keep, double add) {
  Tensors tensors(device);
  const auto options = tensors.each(AdagradOptions{0.1, 0.01, 1e-8, 0.01, keep, add, 0});
  for (int i = 0; i < 2; i++)
    device.backend->adagradStep({tensors.stepped(), options.data(), tensors.first.data()});
}

}  // namespace

std::vector<Case> optimizerCases() {
  return {
      {"clip", Over::one, clip},
      {"sgd", Over::one, [](Device& device) { sgd(device, 0, false); }},
      {"sgd with momentum", Over::one, [](Device& device) { sgd(device, 0.9, true); }},
      {"adam", Over::one, [](Device& device) { adam(device, false, true); }},
      {"adamw", Over::one, [](Device& device) { adam(device, true, false); }},
      {"adam on rows", Over::one, adamOnRows},
      {"asgd", Over::one, asgd},
      {"adagrad", Over::one, [](Device& device) { adagrad(device, 1, 1); }},
      {"rmsprop", Over::one, [](Device& device) { adagrad(device, 0.99, 0.01); }},
  };
}

}  // namespace driver
