#include "cpu/cpu_backend.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cpu/flush.h"

namespace packed_rnn {

CpuBackend::CpuBackend(const CpuOptions& options) : allocator_(options.memoryLimit), team_(options.threads) {}
CpuBackend::~CpuBackend() = default;
CpuKept::CpuKept() = default;
CpuKept::~CpuKept() = default;
void CpuKept::free(Kept* kept) { delete kept; }

void CpuBackend::attach() { flushDenormals(); }

void* CpuBackend::allocate(std::size_t bytes) { return allocator_.allocate(bytes); }
void CpuBackend::deallocate(void* data, std::size_t bytes) noexcept { allocator_.deallocate(data, bytes); }
MemoryUse CpuBackend::memory() const noexcept { return allocator_.use(); }
// memcpy needs valid addresses even if there is nothing to copy.
void CpuBackend::upload(void* destination, const void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(destination, host, bytes);
}
void CpuBackend::download(void* host, const void* source, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, source, bytes);
}
void CpuBackend::synchronize() {}
std::size_t CpuBackend::downloads() const { return 0; }
bool CpuBackend::arrived(bool) { return true; }
bool CpuBackend::settle(const std::int32_t*, Error&) { return false; }

namespace {
struct CpuMark final : Mark {
  const std::chrono::steady_clock::time_point time = std::chrono::steady_clock::now();
};
}  // namespace

Mark* CpuBackend::mark() { return new CpuMark; }
double CpuBackend::secondsBetween(const Mark& start, const Mark& end) {
  const auto time = [](const Mark& mark) { return static_cast<const CpuMark&>(mark).time; };
  return std::chrono::duration<double>(time(end) - time(start)).count();
}

std::int64_t CpuBackend::longestFirst(const Sequences& sequences, std::int32_t* places) {
  const auto length = [&](std::int32_t b) { return sequences.offsets[b + 1] - sequences.offsets[b]; };
  std::int64_t count = 0;
  for (std::int32_t b = 0; b < static_cast<std::int32_t>(sequences.count); b++) {
    if (length(b) > 0) places[count++] = b;
  }
  std::sort(places, places + count, [&](std::int32_t a, std::int32_t b) {
    return length(a) != length(b) ? length(a) > length(b) : a < b;
  });
  return count;
}

void CpuBackend::checkRange(const char* what, const std::int32_t* values, std::int64_t count,
                            std::int64_t low, std::int64_t high, std::int64_t except) {
  for (std::int64_t i = 0; i < count; i++) {
    if ((values[i] >= low && values[i] < high) || values[i] == except) continue;
    Error failure{"ERR_OUT_OF_RANGE", {}};
    std::snprintf(failure.message, sizeof failure.message,
                  "%s[%lld]: wanted an integer from %lld to %lld, got %d", what, static_cast<long long>(i),
                  static_cast<long long>(low), static_cast<long long>(high - 1), values[i]);
    throw failure;
  }
}

void CpuBackend::checkNorm(float norm, std::int64_t tensor) {
  if (std::isfinite(norm)) return;
  Error failure{"ERR_NON_FINITE", {}};
  std::snprintf(failure.message, sizeof failure.message,
                "the norm of the gradients: wanted a finite number, got %g with values[%lld]",
                static_cast<double>(norm), static_cast<long long>(tensor));
  throw failure;
}

}  // namespace packed_rnn
