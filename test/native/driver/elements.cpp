// Ops on single numbers, and the loss.
#include "driver.h"

namespace driver {

namespace {

void elementwise(Device& device) {
  const std::int64_t count = 1030;
  const float* const a = device.random(count);
  const float* const b = device.random(count);
  for (const Elementwise function :
       {Elementwise::copy, Elementwise::add, Elementwise::multiply, Elementwise::scale, Elementwise::tanh,
        Elementwise::sigmoid, Elementwise::relu, Elementwise::tanhBackward, Elementwise::sigmoidBackward,
        Elementwise::reluBackward}) {
    const bool one = function == Elementwise::copy || function == Elementwise::tanh ||
                     function == Elementwise::sigmoid || function == Elementwise::relu;
    device.backend->elementwise({function, count, a, one ? nullptr : b, device.result(count)});
  }
  float* const inPlace = device.alsoResult(device.random(count), count);
  device.backend->elementwise({Elementwise::add, count, inPlace, b, inPlace});
}

void fillAndSum(Device& device) {
  const std::int64_t count = 5000;
  const float* const values = device.random(count);
  float* const sum = device.result(1);
  device.backend->sum({count, values, sum});
  device.backend->fill({count, 0, sum, device.result(count)});
  device.backend->fill({3, 2.5f, nullptr, device.result(3)});
}

void dropout(Device& device) {
  const std::vector<std::int64_t> lengths = {3, 0, 20, 1};
  const float* const x = device.random(24 * 36);
  const Sequences sequences = {device.offsets(lengths), 4};
  device.backend->dropout({24, 36, 2, sequences, 7, 3, 1, 0.3f, x, device.result(24 * 36)});
  device.backend->dropout({24, 36, 1, {nullptr, 0}, 7, 3, 1, 0.3f, x, device.result(24 * 36)});
}

void crossEntropy(Device& device) {
  const std::int64_t rows = 37, classes = 9;
  std::vector<std::int32_t> labels;
  for (std::int32_t r = 0; r < rows; r++) labels.push_back(r % 5 == 4 ? -100 : r % 9);
  const float* const logits = device.random(rows * classes, 10);
  const std::int32_t* const onDevice = device.integers(labels);
  const float* const weight = device.filled(classes, 0.5f);
  for (const bool mean : {false, true}) {
    device.backend->crossEntropy({rows, classes, logits, onDevice, nullptr, -100, 0, mean, device.result(1),
                                  device.result(rows * classes)});
    device.backend->crossEntropy(
        {rows, classes, logits, onDevice, weight, -100, 0.1f, mean, device.result(1), nullptr});
  }
}

}  // namespace

std::vector<Case> elementCases() {
  return {
      {"elementwise", Over::one, elementwise},
      {"fill and sum", Over::one, fillAndSum},
      {"dropout", Over::one, dropout},
      {"cross entropy", Over::one, crossEntropy},
  };
}

}  // namespace driver
