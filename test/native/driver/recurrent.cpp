// Recurrent layers, forward and backward: every cell, one direction and two, with and without the optional
// parts.
#include "driver.h"

namespace driver {

namespace {

struct Layer {
  const char* name;
  Cell cell;
  std::int64_t gates, inputSize, hiddenSize, projectionSize, directions;
  bool indexed;
  bool whole;  // with all optional arguments
};

// The distinct row of each row, and the reverse mapping.
RowIndex indexOf(Device& device, std::int64_t rows, std::int64_t distinct) {
  std::vector<std::int32_t> index, starts = {0}, order;
  for (std::int64_t n = 0; n < rows; n++)
    index.push_back(static_cast<std::int32_t>((n * n + 3 * n) % distinct));
  for (std::int32_t u = 0; u < distinct; u++) {
    for (std::int32_t n = 0; n < rows; n++)
      if (index[static_cast<std::size_t>(n)] == u) order.push_back(n);
    starts.push_back(static_cast<std::int32_t>(order.size()));
  }
  return {device.integers(index), device.integers(starts), device.integers(order)};
}

void runLayer(Device& device, const Layer& layer) {
  const std::vector<std::int64_t> lengths = {3, 0, 7, 1, 5, 2, 6, 4, 1, 3, 2};
  std::int64_t N = 0;
  for (const std::int64_t length : lengths) N += length;
  const std::int64_t B = static_cast<std::int64_t>(lengths.size()), U = layer.indexed ? 9 : N;
  const std::int64_t I = layer.inputSize, H = layer.hiddenSize, P = layer.projectionSize;
  const std::int64_t R = P > 0 ? P : H, D = layer.directions, G = layer.gates;
  const bool hasC = layer.cell == Cell::lstm;

  RecurrentForward forward = {};
  RecurrentShape& shape = forward;
  shape = {layer.cell, I, H, P, D, N, U, 0, 1, {device.offsets(lengths), B}};
  if (layer.indexed) {
    const RowIndex index = indexOf(device, N, U);
    forward.index = index.index;
    forward.starts = index.starts;
    forward.order = index.order;
  }
  forward.x = device.random(U * I);
  for (std::int64_t d = 0; d < D; d++) {
    RecurrentWeights& weights = forward.weights[d];
    weights.wIh = device.random(G * H * I, 0.4f);
    weights.wHh = device.random(G * H * R, 0.4f);
    if (layer.whole) weights.bIh = device.random(G * H, 0.4f);
    if (layer.whole) weights.bHh = device.random(G * H, 0.4f);
    if (P > 0) weights.wHr = device.random(P * H, 0.4f);
  }
  if (layer.whole) forward.h0 = device.random(D * B * R);
  if (layer.whole && hasC) forward.c0 = device.random(D * B * H);
  forward.output = device.result(N * D * R);
  forward.hN = device.result(D * B * R);
  if (hasC) forward.cN = device.result(D * B * H);
  device.backend->run(forward);  // again, with the data that a backward pass needs
  forward.saved = device.scratch(device.backend->recurrentSavedCount(shape));
  device.backend->run(forward);

  RecurrentBackward backward = {};
  static_cast<RecurrentInput&>(backward) = forward;
  backward.output = forward.output;
  backward.saved = forward.saved;
  backward.dOutput = device.random(N * D * R);
  if (layer.whole) backward.dHN = device.random(D * B * R);
  if (layer.whole && hasC) backward.dCN = device.random(D * B * H);
  if (layer.whole) backward.dX = device.result(U * I);
  for (std::int64_t d = 0; d < D; d++) {
    RecurrentGradients& gradients = backward.gradients[d];
    gradients.wIh = device.result(G * H * I);
    gradients.wHh = device.result(G * H * R);
    if (layer.whole) gradients.bIh = device.result(G * H);
    if (layer.whole) gradients.bHh = device.result(G * H);
    if (P > 0) gradients.wHr = device.result(P * H);
  }
  if (layer.whole) backward.dH0 = device.result(D * B * R);
  if (layer.whole && hasC) backward.dC0 = device.result(D * B * H);
  device.backend->run(backward);
}

}  // namespace

std::vector<Case> recurrentCases() {
  const Layer layers[] = {
      {"lstm", Cell::lstm, 4, 5, 32, 0, 2, false, true},
      {"lstm, indexed, without what is optional", Cell::lstm, 4, 6, 16, 0, 1, true, false},
      {"lstm, indexed, of an odd size", Cell::lstm, 4, 3, 21, 0, 2, true, true},
      {"lstm with projection", Cell::lstm, 4, 5, 24, 12, 2, false, true},
      {"lstm with projection, indexed", Cell::lstm, 4, 5, 10, 7, 1, true, true},
      {"gru", Cell::gru, 3, 5, 32, 0, 2, true, true},
      {"gru without what is optional", Cell::gru, 3, 4, 13, 0, 1, false, false},
      {"gru, reset first", Cell::resetFirstGru, 3, 5, 32, 0, 2, false, true},
      {"gru, reset first, indexed", Cell::resetFirstGru, 3, 4, 13, 0, 1, true, false},
      {"elman, tanh", Cell::elmanTanh, 1, 5, 32, 0, 2, true, true},
      {"elman, relu", Cell::elmanRelu, 1, 4, 15, 0, 1, false, true},
  };
  // Wider blocks. With two multiprocessors a slot has more than one sequence.
  const Layer wide[] = {
      {"lstm of 64 units", Cell::lstm, 4, 5, 64, 0, 2, false, true},
      {"gru of 100 units", Cell::gru, 3, 5, 100, 0, 2, true, true},
      {"lstm of 128 units", Cell::lstm, 4, 5, 128, 0, 2, false, true},
      {"lstm of 256 units", Cell::lstm, 4, 5, 256, 0, 1, false, true},
  };
  std::vector<Case> cases;
  for (const Layer& layer : layers)
    cases.push_back({layer.name, Over::paths, [layer](Device& device) { runLayer(device, layer); }});
  for (const Layer& layer : wide)
    cases.push_back({layer.name, Over::precisions, [layer](Device& device) { runLayer(device, layer); }});
  return cases;
}

}  // namespace driver
