#include "device_memory.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

namespace packed_rnn::cuda {

namespace {

constexpr std::size_t kLine = 256;
constexpr std::size_t kLarge = std::size_t{1} << 20;
constexpr std::size_t kKept = std::size_t{1} << 30;  // bytes that may always stay in reserve

// Few distinct sizes, so that a slightly longer or shorter batch finds a block that fits.
std::size_t rounded(std::size_t bytes) {
  if (bytes < kLine) bytes = kLine;
  std::size_t step = kLine;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// The largest block that a request accepts: sizes of successive batches of one length differ by less than an
// eighth. A large block may be twice as large, so that batches of different lengths share it.
std::size_t mostFor(std::size_t size) { return size + (size >= kLarge ? size : size / 8); }

}  // namespace

DeviceMemory::~DeviceMemory() { trim(0); }

void* DeviceMemory::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  const std::lock_guard lock(mutex_);
  Error failure{"ERR_OUT_OF_MEMORY", {}};
  if (limit_ != 0 && held_ + size > limit_) {
    std::snprintf(failure.message, sizeof failure.message,
                  "wanted %zu bytes, %zu of the limit of %zu are held", size, held_, limit_);
    throw failure;
  }
  const std::size_t most = limit_ == 0 ? mostFor(size) : std::min(size + size / 8, limit_ - held_);
  if (const auto found = free_.lower_bound(size); found != free_.end() && found->size <= most) {
    cached_ -= found->size;
    return lend(free_.extract(found));
  }
  Free made = {{size, nullptr}};  // allocates the node before the memory
  auto block = made.extract(made.begin());
  void*& data = block.value().data;
  cudaError_t status = cudaSetDevice(ordinal_);
  if (status == cudaSuccess) status = cudaMalloc(&data, size);
  if (status == cudaErrorMemoryAllocation) {
    // Freeing the reserve may free enough.
    cudaGetLastError();
    trim(0);
    status = cudaMalloc(&data, size);
  }
  if (status != cudaSuccess) {
    cudaGetLastError();
    failure.code = status == cudaErrorMemoryAllocation ? "ERR_OUT_OF_MEMORY" : "ERR_DEVICE_LOST";
    std::snprintf(failure.message, sizeof failure.message, "wanted %zu bytes, %zu are held: %s", size, held_,
                  cudaGetErrorString(status));
    throw failure;
  }
  return lend(std::move(block));
}

void* DeviceMemory::lend(Free::node_type block) noexcept {
  // Some tens of training steps. The reserve of a peak is freed two periods later at the latest.
  constexpr int kPeriod = 4096;
  void* const data = block.value().data;
  held_ += block.value().size;
  lent_.insert(std::move(block));
  if (++lends_ > kPeriod) {
    lends_ = 0;
    peakBefore_ = peak_;
    peak_ = 0;
  }
  if (held_ > peak_) peak_ = held_;
  return data;
}

void DeviceMemory::deallocate(void* data, std::size_t) noexcept {
  const std::lock_guard lock(mutex_);
  const auto lent = lent_.find(data);
  if (lent == lent_.end()) return;
  held_ -= lent->size;
  cached_ += lent->size;
  free_.insert(lent_.extract(lent));
  // The reserve has room for the last peak, plus a little because sizes vary.
  const std::size_t peak = peak_ > peakBefore_ ? peak_ : peakBefore_;
  trim(peak - held_ + kKept);
}

void DeviceMemory::trim(std::size_t bytes) noexcept {
  while (cached_ > bytes && !free_.empty()) {
    const auto largest = std::prev(free_.end());
    cudaSetDevice(ordinal_);
    cudaFree(largest->data);  // waits for the device, so no kernel uses it any more
    cached_ -= largest->size;
    free_.erase(largest);
  }
}

MemoryUse DeviceMemory::use() const noexcept {
  const std::lock_guard lock(mutex_);
  return {held_, cached_};
}

}  // namespace packed_rnn::cuda
