// The kernels that take most of a training step, at its sizes, for a profiler that runs each of them
// repeatedly.
#include "driver.h"

namespace driver {

namespace {

constexpr std::int64_t kBatch = 256, kLength = 64, kRows = kBatch * kLength;

void lstm(Device& device, std::int64_t H) {
  const std::int64_t I = H;
  RecurrentForward forward = {};
  RecurrentShape& shape = forward;
  shape = {Cell::lstm, I,     H, 0, 1,
           kRows,      kRows, 0, 1, {device.offsets(std::vector<std::int64_t>(kBatch, kLength)), kBatch}};
  forward.x = device.random(kRows * I);
  forward.weights[0] = {device.random(4 * H * I, 0.1f), device.random(4 * H * H, 0.1f), device.random(4 * H),
                        device.random(4 * H), nullptr};
  forward.output = device.scratch(kRows * H);
  forward.hN = device.scratch(kBatch * H);
  forward.cN = device.scratch(kBatch * H);
  forward.saved = device.scratch(device.backend->recurrentSavedCount(shape));
  device.backend->run(forward);
  RecurrentBackward backward = {};
  static_cast<RecurrentInput&>(backward) = forward;
  backward.output = forward.output;
  backward.saved = forward.saved;
  backward.dOutput = device.random(kRows * H);
  backward.dX = device.scratch(kRows * I);
  backward.gradients[0] = {device.scratch(4 * H * I), device.scratch(4 * H * H), device.scratch(4 * H),
                           device.scratch(4 * H), nullptr};
  device.backend->run(backward);
}

// The input projection of a layer of 64 units over the words of a batch.
void product(Device& device) {
  const std::int64_t m = 26000, n = 256, k = 300;
  device.backend->run(Matmul{m, n, k, false, true, device.random(m * k), device.random(n * k),
                             device.random(n), device.scratch(m * n), nullptr});
}

// The gradient of a batch's words. One word is every sixth; the others are rare.
void sums(Device& device) {
  const std::int64_t occurrences = 94000, columns = 300;
  std::vector<std::int32_t> starts = {0}, order;
  std::int32_t words = 0;
  for (std::int32_t i = 0; i < occurrences; i++) order.push_back(i);
  for (std::int64_t left = occurrences, size = occurrences / 6; left > 0; words++) {
    left -= size;
    starts.push_back(starts.back() + static_cast<std::int32_t>(size));
    size = size > 8 ? size / 2 : 4;
    if (size > left) size = left;
  }
  device.backend->run(SumRows{words, columns, occurrences, device.random(occurrences * columns),
                              device.integers(starts), device.integers(order),
                              device.scratch(words * columns)});
}

}  // namespace

std::vector<Case> profileCases() {
  return {{"lstm of 64 units", Over::one, [](Device& device) { lstm(device, 64); }},
          {"lstm of 128 units", Over::one, [](Device& device) { lstm(device, 128); }},
          {"product", Over::one, product},
          {"sums of rows", Over::one, sums}};
}

}  // namespace driver
