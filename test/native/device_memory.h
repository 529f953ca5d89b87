// Stand-in for native/cuda/device/device_memory.h. It is exact and does not cache, because a rounded or
// reused block would hide an overrun or a late read from AddressSanitizer. Fresh bytes are 0xff, which is
// NaN.
#pragma once

#include <cstddef>
#include <cstdio>
#include <mutex>

#include "backend.h"
#include "standin/queue.h"

namespace packed_rnn::cuda {

class DeviceMemory {
 public:
  DeviceMemory(int, std::size_t limit) : limit_(limit) {}
  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Error failure{"ERR_OUT_OF_MEMORY", {}};
    if (limit_ != 0 && held_ + bytes > limit_) {
      std::snprintf(failure.message, sizeof failure.message,
                    "wanted %zu bytes, %zu of the limit of %zu are held", bytes, held_, limit_);
      throw failure;
    }
    void* const data = standin::take(standin::Residence::device, bytes);
    if (data == nullptr) {
      std::snprintf(failure.message, sizeof failure.message, "wanted %zu bytes, %zu are held", bytes, held_);
      throw failure;
    }
    held_ += bytes;
    return data;
  }
  void deallocate(void* data, std::size_t bytes) noexcept {
    if (!standin::give(data)) return;
    const std::lock_guard lock(mutex_);
    held_ -= bytes;
  }
  MemoryUse use() const noexcept {
    const std::lock_guard lock(mutex_);
    return {held_, 0};
  }

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::size_t held_ = 0;
};

}  // namespace packed_rnn::cuda
