// Sums of many rows, and rejected indices.
#include <cstdio>
#include <cstring>

#include "driver.h"

namespace driver {

namespace {

// Two words that occur hundreds of times next to words that occur once.
void sumMany(Device& device) {
  const std::int64_t columns = 20, rows = 4;
  std::vector<std::int32_t> order;
  for (std::int32_t i = 0; i < 600; i++) order.push_back(i * 7 % 600);
  device.backend->run(SumRows{rows, columns, 600, device.random(600 * columns),
                              device.integers({0, 1, 300, 301, 600}), device.integers(order),
                              device.result(rows * columns)});
}

// A wrong index is reported at once, or by the next wait as that of an earlier op. It is reported once, and
// the device keeps working.
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
    device.backend->run(GatherRows{5, columns, sourceRows, 0.5f, source, index, gathered});
  });
  CrossEntropy op{
      4,       3,       -100,    0,      true, false, device.random(12), device.integers({0, -100, 2, -1}),
      nullptr, nullptr, nullptr, nullptr};
  op.loss = device.scratch(1);
  op.gradient = device.scratch(12);
  mustBeTold(device, "labels[3]", "wanted an integer from 0 to 2, got -1", [&] { device.backend->run(op); });
}

}  // namespace

std::vector<Case> rowCases() {
  return {
      {"a sum of many rows", Over::one, sumMany},
      {"an index out of range", Over::one, outOfRange},
  };
}

}  // namespace driver
