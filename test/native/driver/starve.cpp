// The host runs out of memory during an op: its nth operator new fails, for each n.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "driver.h"

namespace {

constexpr long kFed = -1;
std::atomic<long> left{kFed};  // allocations until one fails; kFed: none fails

void* take(std::size_t bytes) {
  long now = left;
  while (now != kFed && !left.compare_exchange_weak(now, now - 1)) {
  }
  if (now == 0) return nullptr;  // now kFed again
  return std::malloc(bytes > 0 ? bytes : 1);
}

}  // namespace

// The library uses these too: the loader finds the program's before the standard library's.
void* operator new(std::size_t bytes) {
  void* const data = take(bytes);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes); }
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }

namespace driver {

namespace {

std::vector<float> runOnce(Device& device, const Case& that) {
  that.run(device);
  std::vector<float> results = device.results();
  // Freeing memory must not fail.
  const long now = left.exchange(kFed);
  device.clear();
  left = now;
  return results;
}

}  // namespace

long starve(Device& device, const Case& that) {
  const auto fail = [&](long n, const char* what) {
    std::fprintf(stderr, "%s, allocation %ld fails: %s\n", that.name.c_str(), n, what);
    return -1;
  };
  const std::vector<float> results = runOnce(device, that);
  for (long n = 0;; n++) {
    bool told = false;
    left = n;
    try {
      runOnce(device, that);
    } catch (const std::bad_alloc&) {
      told = true;
    } catch (const Error& error) {
      told = std::strcmp(error.code, "ERR_OUT_OF_MEMORY") == 0;
    }
    device.clear();
    const bool enough = left.exchange(kFed) != kFed;
    if (enough && runOnce(device, that) == results) return n;
    if (enough) return fail(n - 1, "the results afterwards are others");
    if (!told) return fail(n, "nobody is told");
    if (device.backend->memory().held != 0) return fail(n, "memory is still held");
  }
}

}  // namespace driver
