// Host memory that is used again: a training step needs the same hundreds of megabytes as the one before, and
// fresh pages cost more than the arithmetic on them.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

#include "backend.h"

namespace packed_rnn {

class Allocator {
 public:
  explicit Allocator(std::size_t limit) : limit_(limit) {}
  ~Allocator();
  void* allocate(std::size_t bytes);
  void deallocate(void* data, std::size_t bytes) noexcept;
  MemoryUse use() const noexcept;

 private:
  void trim(std::size_t bytes) noexcept;

  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;  // by rounded size
  std::map<void*, std::size_t> lent_;       // rounded size of what is held
  std::size_t limit_;                       // bytes that may be held at once; 0: no limit
  std::size_t held_ = 0;
  std::size_t cached_ = 0;
};

}  // namespace packed_rnn
