// driver LIBRARY [PART OF A NAME]: runs the cases whose names contain it. driver --starve LIBRARY [PART OF A
// NAME]: runs them with too little host memory. driver --profile LIBRARY: runs kernels at the sizes of a
// training step once, for a profiler.
#include <dlfcn.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "driver.h"

namespace driver {

float* Device::scratch(std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
  buffers_.push_back({nullptr, bytes});
  buffers_.back().data = static_cast<float*>(backend->allocate(bytes));
  return buffers_.back().data;
}

float* Device::random(std::int64_t count, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    state_ = state_ * 1664525u + 1013904223u;
    value = (static_cast<float>(state_ >> 8) * 0x1p-23f - 1) * scale;
  }
  float* const data = scratch(count);
  backend->upload(data, values.data(), values.size() * sizeof(float));
  return data;
}

float* Device::between(std::int64_t count, float low, float high) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    state_ = state_ * 1664525u + 1013904223u;
    value = low + static_cast<float>(state_ >> 8) * 0x1p-24f * (high - low);
  }
  float* const data = scratch(count);
  backend->upload(data, values.data(), values.size() * sizeof(float));
  return data;
}

float* Device::filled(std::int64_t count, float value) {
  const std::vector<float> values(static_cast<std::size_t>(count), value);
  float* const data = scratch(count);
  backend->upload(data, values.data(), values.size() * sizeof(float));
  return data;
}

std::int32_t* Device::integers(const std::vector<std::int32_t>& values) {
  static_assert(sizeof(std::int32_t) == sizeof(float));
  std::int32_t* const data =
      reinterpret_cast<std::int32_t*>(scratch(static_cast<std::int64_t>(values.size())));
  backend->upload(data, values.data(), values.size() * sizeof(std::int32_t));
  return data;
}

const std::int32_t* Device::offsets(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int32_t> sums = {0};
  for (const std::int64_t length : lengths) sums.push_back(sums.back() + static_cast<std::int32_t>(length));
  offsets_.push_back(std::move(sums));
  return offsets_.back().data();
}

float* Device::alsoResult(float* data, std::int64_t count) {
  results_.push_back({data, static_cast<std::size_t>(count) * sizeof(float)});
  return data;
}

std::vector<float> Device::results() {
  backend->synchronize();
  std::vector<float> all;
  for (const Buffer& result : results_) {
    const std::size_t begin = all.size();
    all.resize(begin + result.bytes / sizeof(float));
    backend->download(all.data() + begin, result.data, result.bytes);
    while (backend->downloads() > 0) backend->arrived(true);
  }
  return all;
}

void Device::clear() {
  for (const Buffer& buffer : buffers_) {
    if (buffer.data != nullptr) backend->deallocate(buffer.data, buffer.bytes);
  }
  buffers_.clear();
  results_.clear();
  offsets_.clear();
  state_ = 1;
}

namespace {

// The number of results, or -1 and a printed sentence if something is wrong.
long runTwice(Device& device, const Case& that, const char* on) {
  std::vector<float> results[2];
  try {
    for (std::vector<float>& result : results) {
      that.run(device);
      result = device.results();
      device.clear();
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s on %s: %s: %s\n", that.name.c_str(), on, error.code, error.message);
    device.clear();
    return -1;
  }
  for (std::size_t i = 0; i < results[0].size(); i++) {
    if (std::isfinite(results[0][i])) continue;
    std::fprintf(stderr, "%s on %s: result %zu is %g\n", that.name.c_str(), on, i,
                 static_cast<double>(results[0][i]));
    return -1;
  }
  const std::size_t bytes = results[0].size() * sizeof(float);
  if (bytes > 0 && std::memcmp(results[0].data(), results[1].data(), bytes) != 0) {
    std::size_t at = 0;
    while (std::memcmp(&results[0][at], &results[1][at], sizeof(float)) == 0) at++;
    std::fprintf(stderr, "%s on %s: result %zu has other bits the second time\n", that.name.c_str(), on, at);
    return -1;
  }
  return static_cast<long>(results[0].size());
}

Library* openLibrary(const char* file) {
  void* const handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return nullptr;
  }
  const auto open = reinterpret_cast<Library* (*)(const char*)>(dlsym(handle, "packed_rnn_open"));
  Library* const library = open == nullptr ? nullptr : open(PACKED_RNN_STAMP);
  if (library == nullptr) std::fprintf(stderr, "%s: built from another contract\n", file);
  return library;
}

std::vector<Case> casesWith(const char* part) {
  std::vector<Case> cases;
  for (const auto& family : {rowCases, derivedCases, optimizerCases, recurrentCases}) {
    for (Case& that : family()) {
      if (that.name.find(part) != std::string::npos) cases.push_back(std::move(that));
    }
  }
  return cases;
}

int starveAll(Library& library, const char* part) {
  Device device(library.open({0, Precision::float32, false, 0}));
  long allocations = 0, failed = 0;
  for (const Case& that : casesWith(part)) {
    const long count = starve(device, that);
    if (count < 0) {
      failed++;
    } else {
      allocations += count;
    }
  }
  std::printf("%ld allocations that failed, %ld not as they should\n", allocations, failed);
  return failed == 0 && allocations > 0 ? 0 : 1;
}

int runAll(Library& library, const char* part) {
  const std::vector<Case> cases = casesWith(part);
  const struct {
    const char* name;
    Precision precision;
  } precisions[] = {
      {"float32", Precision::float32}, {"tf32", Precision::tf32}, {"bfloat16", Precision::bfloat16}};
  long runs = 0, numbers = 0, failed = 0;
  for (const auto& precision : precisions) {
    for (const bool stepwise : {false, true}) {
      Device device(library.open({0, precision.precision, stepwise, 0}));
      const std::string on = std::string(precision.name) + (stepwise ? ", stepwise" : "");
      for (const Case& that : cases) {
        if (that.over == Over::one && precision.precision != Precision::float32) continue;
        if (that.over != Over::paths && stepwise) continue;
        const auto start = std::chrono::steady_clock::now();
        const long count = runTwice(device, that, on.c_str());
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        std::printf("%6.2f s  %s on %s\n", took.count(), that.name.c_str(), on.c_str());
        std::fflush(stdout);  // if the process is killed, the name is already printed
        runs++;
        if (count < 0) failed++;
        if (count > 0) numbers += count;
      }
    }
  }
  std::printf("%ld cases, %ld numbers, %ld failed\n", runs, numbers, failed);
  return failed == 0 && runs > 0 ? 0 : 1;
}

int profileAll(Library& library, const char* part) {
  Device device(library.open({0, Precision::tf32, false, 0}));
  for (const Case& that : profileCases()) {
    if (that.name.find(part) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    that.run(device);
    device.backend->synchronize();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    device.clear();
    std::printf("%6.2f s  %s\n", took.count(), that.name.c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

}  // namespace driver

int main(int count, char** words) {
  auto* run = driver::runAll;
  if (count > 1 && std::strcmp(words[1], "--starve") == 0) run = driver::starveAll;
  if (count > 1 && std::strcmp(words[1], "--profile") == 0) run = driver::profileAll;
  if (run != driver::runAll) words++, count--;
  if (count < 2) {
    std::fprintf(stderr, "wanted the file of a library, and then perhaps a part of the names of cases\n");
    return 2;
  }
  try {
    packed_rnn::Library* const library = driver::openLibrary(words[1]);
    if (library == nullptr) return 2;
    return run(*library, count > 2 ? words[2] : "");
  } catch (const packed_rnn::Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code, error.message);
    return 2;
  }
}
