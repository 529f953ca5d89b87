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
  void lend(void* data, std::size_t size);

  mutable std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;  // by rounded size
  std::map<void*, std::size_t> lent_;       // rounded size of what is held
  std::size_t limit_;                       // bytes that may be held at once; 0: no limit
  std::size_t held_ = 0;
  std::size_t cached_ = 0;
  // The most that was held since `lends_` were 0, and in the period before: a step's peak comes again.
  std::size_t peak_ = 0, peakBefore_ = 0;
  int lends_ = 0;
};

}  // namespace packed_rnn
