// Products of matrices, and ops on rows: gathering, summing, pooling, and what indices they refuse.
#include <cstdio>
#include <cstring>

#include "driver.h"

namespace driver {

namespace {

void matmul(Device& device) {
  const struct { std::int64_t m, n, k; } shapes[] = {{1, 1, 1}, {37, 20, 19}, {70, 132, 40}, {3, 5, 300}};
  for (const auto& [m, n, k] : shapes)
    for (const bool transposeA : {false, true})
      for (const bool transposeB : {false, true}) {
        float* const c = device.alsoResult(device.random(m * n), m * n);
        const float* const a = device.random(m * k);
        const float* const b = device.random(k * n);
        device.backend->matmul({m, n, k, a, b, nullptr, c, transposeA, transposeB, true, nullptr});
        device.backend->matmul(
            {m, n, k, a, b, device.random(n), device.result(m * n), transposeA, transposeB, false, nullptr});
      }
}

void gatherAndSum(Device& device) {
  const std::int64_t columns = 35, sourceRows = 6;
  const float* const source = device.random(sourceRows * columns);
  const std::int32_t* const index = device.integers({5, -1, 0, 0, 3, 5, 2});
  float* const gathered = device.result(7 * columns);
  device.backend->gatherRows({7, columns, sourceRows, source, index, 0.5f, gathered});
  // Row 1 is the sum of none.
  const std::int32_t* const starts = device.integers({0, 2, 2, 5});
  const std::int32_t* const order = device.integers({1, 4, 0, 3, 6});
  float* const sums = device.result(3 * columns);
  device.backend->sumRows({3, columns, gathered, starts, order, sums});
  float* const updated = device.alsoResult(device.random(4 * columns), 4 * columns);
  device.backend->addRows({3, columns, sums, device.integers({3, -1, 0}), updated});
}

// Two words that occur hundreds of times beside words that occur once.
void sumMany(Device& device) {
  const std::int64_t columns = 20, rows = 4;
  std::vector<std::int32_t> order;
  for (std::int32_t i = 0; i < 600; i++) order.push_back(i * 7 % 600);
  device.backend->sumRows({rows, columns, device.random(600 * columns),
                           device.integers({0, 1, 300, 301, 600}), device.integers(order),
                           device.result(rows * columns)});
}

void columns(Device& device) {
  const std::int64_t rows = 600;
  const float* const source = device.random(rows * 33);
  device.backend->sumColumns({rows, 33, source, device.result(33)});
  float* const destination = device.alsoResult(device.random(rows * 40), rows * 40);
  device.backend->copyColumns({rows, 20, 33, 13, 40, 7, source, destination});
}

void pool(Device& device) {
  const std::vector<std::int64_t> lengths = {4, 0, 1, 40, 2};
  const std::int64_t N = 47, columns = 33, B = static_cast<std::int64_t>(lengths.size());
  const Sequences sequences = {device.offsets(lengths), B};
  const float* const rows = device.random(N * columns);
  std::int32_t* const places = reinterpret_cast<std::int32_t*>(device.scratch(B * columns));
  device.backend->maxPool({sequences, columns, rows, device.result(B * columns), places});
  device.backend->maxPoolBackward(
      {sequences, columns, places, device.random(B * columns), device.result(N * columns)});
  device.backend->meanPool({sequences, columns, rows, device.result(B * columns)});
  device.backend->meanPoolBackward(
      {sequences, columns, device.random(B * columns), device.result(N * columns)});
}

// What is refused is told at once, or by the next wait as that of an earlier op; once, and the device goes
// on.
template <class Op>
void mustBeTold(Device& device, const char* where, const char* what, Op op) {
  try {
    op();
    device.backend->synchronize();
  } catch (const Error& error) {
    const std::string told = error.message;
    const bool fits = told.find(std::string(where) + ": " + what) != std::string::npos ||
                      told.find(std::string(where) + " of an earlier op: " + what) != std::string::npos;
    if (std::strcmp(error.code, "ERR_OUT_OF_RANGE") != 0 || !fits) throw;
    return device.backend->synchronize();
  }
  Error failure{"ERR_OP_FAILED", {}};
  std::snprintf(failure.message, sizeof failure.message, "nobody was told of %s: %s", where, what);
  throw failure;
}

void outOfRange(Device& device) {
  const std::int64_t columns = 5, sourceRows = 6;
  const std::int32_t* const index = device.integers({5, -1, 6, 0, 77});
  const float* const source = device.random(sourceRows * columns);
  float* const gathered = device.scratch(5 * columns);
  mustBeTold(device, "index[2]", "wanted an integer from -2147483648 to 5, got 6", [&] {
    device.backend->gatherRows({5, columns, sourceRows, source, index, 0.5f, gathered});
  });
  CrossEntropy op{
      4, 3, device.random(12), device.integers({0, -100, 2, -1}), nullptr, -100, 0, true, nullptr, nullptr};
  op.loss = device.scratch(1);
  op.gradient = device.scratch(12);
  mustBeTold(device, "labels[3]", "wanted an integer from 0 to 2, got -1",
             [&] { device.backend->crossEntropy(op); });
}

}  // namespace

std::vector<Case> rowCases() {
  return {
      {"matmul", Over::precisions, matmul},
      {"gathered and summed rows", Over::one, gatherAndSum},
      {"a sum of many rows", Over::one, sumMany},
      {"columns", Over::one, columns},
      {"pooling", Over::one, pool},
      {"an index out of range", Over::one, outOfRange},
  };
}

}  // namespace driver
