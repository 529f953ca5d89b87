// Calls every op of native/ops on small shapes, without Node, for ThreadSanitizer and the leak check. It does
// not know the right results; the suite does. Here results must be finite, and two runs must have the same
// bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"

namespace driver {

using namespace packed_rnn;

// A backend and the buffers of one case, which are freed together.
class Device {
 public:
  explicit Device(Backend* backend) : backend(backend) { backend->attach(); }
  ~Device() { clear(); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::unique_ptr<Backend> backend;

  // Numbers between -scale and scale, the same after each clear().
  float* random(std::int64_t count, float scale = 1);
  float* between(std::int64_t count, float low, float high);
  float* filled(std::int64_t count, float value);
  std::int32_t* integers(const std::vector<std::int32_t>& values);
  // On the host, until clear().
  const std::int32_t* offsets(const std::vector<std::int64_t>& lengths);
  float* scratch(std::int64_t count);
  // Memory that results() returns, one after another: fresh memory, or a buffer that an op updates.
  float* result(std::int64_t count) { return alsoResult(scratch(count), count); }
  float* alsoResult(float* data, std::int64_t count);
  std::vector<float> results();
  void clear();

 private:
  struct Buffer {
    float* data;
    std::size_t bytes;
  };
  std::vector<Buffer> buffers_;
  std::vector<Buffer> results_;
  std::vector<std::vector<std::int32_t>> offsets_;
  std::uint32_t state_ = 1;
};

// What a case runs with.
enum class Over { one, precisions, paths };  // any device; each precision; each precision on each path
struct Case {
  std::string name;
  Over over;
  std::function<void(Device&)> run;
};
// Runs a case once for each of its allocations, which then fails. Returns the number of allocations. Returns
// -1 and prints a sentence if a failure is not reported, leaks memory or changes later results.
long starve(Device& device, const Case& that);

std::vector<Case> rowCases();
std::vector<Case> derivedCases();
std::vector<Case> optimizerCases();
std::vector<Case> recurrentCases();
std::vector<Case> profileCases();

}  // namespace driver
