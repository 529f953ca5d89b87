// Ops over many tensors: clipping and the optimisers. Each takes two steps, so that a step also reads what
// the one before it wrote.
#include "driver.h"

namespace driver {

namespace {

// Parameters of a few sizes, from a single number to more than a block processes.
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
            parameters.data(),
            counts.data(),
            gradients.data(),
            steps.data(),
            refused};
  }
  template <class Options>
  std::vector<Options> each(const Options& options) const {
    return std::vector<Options>(counts.size(), options);
  }
};

// Which tensors have gradients in rows of a table: lists on the host.
struct RowLists {
  std::vector<std::int64_t> columns, tableRows, counts;
  std::vector<const std::int32_t*> ids;
  explicit RowLists(std::size_t tensors)
      : columns(tensors), tableRows(tensors), counts(tensors), ids(tensors, nullptr) {}
  void setLast(Device& device, std::int64_t width, std::int64_t rows, const std::vector<std::int32_t>& list) {
    columns.back() = width;
    tableRows.back() = rows;
    counts.back() = static_cast<std::int64_t>(list.size());
    ids.back() = device.integers(list);
  }
};

void clip(Device& device) {
  Tensors tensors(device);
  const std::int64_t count = static_cast<std::int64_t>(tensors.counts.size());
  // 4 of a table's 9 rows, 32 numbers each.
  RowLists rows(tensors.counts.size());
  rows.setLast(device, 32, 9, {0, 3, 4, 8});
  for (const bool largest : {false, true}) {
    const std::int32_t* refused = nullptr;
    device.backend->run(
        ClipNorm{{count, rows.columns.data(), rows.tableRows.data(), rows.ids.data(), rows.counts.data()},
                 largest,
                 true,
                 0.5f,
                 tensors.parameters.data(),
                 tensors.counts.data(),
                 device.result(1),
                 &refused});
    device.backend->synchronize();
    Error reason{"", {}};
    if (refused != nullptr && device.backend->settle(refused, reason)) throw reason;
  }
  device.backend->run(ClipValue{count, 0.001f, tensors.parameters.data(), tensors.counts.data()});
}

void sgd(Device& device, double momentum, bool nesterov) {
  Tensors tensors(device);
  const auto options = tensors.each(SgdOptions{0.1, momentum, 0, 0.01, nesterov, false});
  SgdStep step = {tensors.stepped(), options.data(), tensors.first.data()};
  const std::vector<float*> none(tensors.counts.size(), nullptr);
  if (momentum == 0) step.steps = step.momenta = none.data();
  for (int i = 0; i < 2; i++) device.backend->run(step);
}

void adam(Device& device, bool decoupled, bool amsgrad) {
  Tensors tensors(device);
  const auto options = tensors.each(AdamOptions{0.01, 0.9, 0.999, 1e-8, 0.01, decoupled, amsgrad, false});
  const std::vector<float*> none(tensors.counts.size(), nullptr);
  const RowLists dense(tensors.counts.size());
  const AdamStep step = {tensors.stepped(),
                         options.data(),
                         tensors.first.data(),
                         tensors.second.data(),
                         amsgrad ? tensors.third.data() : none.data(),
                         dense.columns.data(),
                         dense.tableRows.data(),
                         dense.ids.data(),
                         dense.counts.data(),
                         nullptr,
                         nullptr};
  for (int i = 0; i < 2; i++) device.backend->run(step);
}

// The last gradient is in rows of a table, the one with 5,000 numbers.
void adamOnRows(Device& device) {
  Tensors tensors(device);
  const std::int64_t V = 125, I = 40;
  std::swap(tensors.counts[2], tensors.counts[3]);
  for (auto* const all : {&tensors.parameters, &tensors.first, &tensors.second, &tensors.third})
    std::swap((*all)[2], (*all)[3]);
  const auto options = tensors.each(AdamOptions{0.01, 0.9, 0.999, 1e-8, 0.01, false, true, true});
  std::vector<std::int32_t*> missed(4, nullptr);
  missed[3] = reinterpret_cast<std::int32_t*>(device.filled(missedStepsWords(V), 0));
  const std::vector<const float*> rests(4, device.filled(1, 0));
  const auto stepRows = [&](const std::vector<std::int32_t>& ids) {
    RowLists rows(4);
    rows.setLast(device, I, V, ids);
    tensors.gradients[3] = device.random(rows.counts[3] * I);
    // The table's size, not its gradient's.
    tensors.counts[3] = V * I;
    device.backend->run(AdamStep{tensors.stepped(), options.data(), tensors.first.data(),
                                 tensors.second.data(), tensors.third.data(), rows.columns.data(),
                                 rows.tableRows.data(), rows.ids.data(), rows.counts.data(), rests.data(),
                                 missed.data()});
  };
  AdamCatchUp catchUp = {V,
                         I,
                         2,
                         tensors.parameters[3],
                         tensors.first[3],
                         tensors.second[3],
                         tensors.third[3],
                         missed[3],
                         device.integers({1, 124})};
  stepRows({0, 1, 70, 124});
  stepRows({1, 2, 3, 4, 5, 6, 7, 8, 9, 99});
  device.backend->run(catchUp);
  stepRows({124});
  catchUp.ids = nullptr;
  device.backend->run(catchUp);
  stepRows({});
  device.backend->run(catchUp);
}

void asgd(Device& device) {
  Tensors tensors(device);
  std::vector<float*> rates;
  for (std::size_t i = 0; i < tensors.counts.size(); i++) rates.push_back(device.result(1));
  const auto options = tensors.each(AsgdOptions{0.1, 1e-4, 0.75, 1, 0.01, true});
  for (int i = 0; i < 3; i++)
    device.backend->run(AsgdStep{tensors.stepped(), options.data(), tensors.first.data(), rates.data()});
}

void adagrad(Device& device, double keep, double add, double momentum, bool centered) {
  Tensors tensors(device);
  const auto options =
      tensors.each(AdagradOptions{0.1, 0.01, 1e-8, 0.01, keep, add, 0, momentum, centered, false});
  const std::vector<float*> none(tensors.counts.size(), nullptr);
  const AdagradStep step = {tensors.stepped(), options.data(), tensors.first.data(),
                            centered ? tensors.second.data() : none.data(),
                            momentum == 0 ? none.data() : tensors.third.data()};
  for (int i = 0; i < 2; i++) device.backend->run(step);
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
      {"adagrad", Over::one, [](Device& device) { adagrad(device, 1, 1, 0, false); }},
      {"rmsprop", Over::one, [](Device& device) { adagrad(device, 0.99, 0.01, 0, false); }},
      {"rmsprop, centred", Over::one, [](Device& device) { adagrad(device, 0.99, 0.01, 0.9, true); }},
  };
}

}  // namespace driver
