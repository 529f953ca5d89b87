// Reused device memory. cudaMalloc and cudaFree stop the device, and a training step needs the same sizes as
// the one before. The stream keeps the order: kernels on a reused block run after the kernels of its previous
// owner.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>

#include "backend.h"

namespace packed_rnn::cuda {

class DeviceMemory {
 public:
  // Uses the device that is current on each calling thread. At most `limit` bytes may be held at once; 0: no
  // limit.
  DeviceMemory(int ordinal, std::size_t limit) : ordinal_(ordinal), limit_(limit) {}
  ~DeviceMemory();
  // Any thread. At least 256-byte aligned. Throws ERR_OUT_OF_MEMORY.
  void* allocate(std::size_t bytes);
  void deallocate(void* data, std::size_t bytes) noexcept;
  MemoryUse use() const noexcept;

 private:
  // A block has one node, which moves between the two sets, so freeing a block allocates nothing.
  struct Block {
    std::size_t size;  // rounded
    void* data;
  };
  struct BySize {
    using is_transparent = void;
    bool operator()(const Block& a, const Block& b) const { return a.size < b.size; }
    bool operator()(const Block& a, std::size_t size) const { return a.size < size; }
  };
  struct ByAddress {
    using is_transparent = void;
    bool operator()(const Block& a, const Block& b) const { return std::less<>{}(a.data, b.data); }
    bool operator()(const Block& a, void* data) const { return std::less<>{}(a.data, data); }
    bool operator()(void* data, const Block& b) const { return std::less<>{}(data, b.data); }
  };
  using Free = std::multiset<Block, BySize>;

  void trim(std::size_t bytes) noexcept;
  void* lend(Free::node_type block) noexcept;

  const int ordinal_;
  const std::size_t limit_;
  mutable std::mutex mutex_;
  Free free_;
  std::set<Block, ByAddress> lent_;
  std::size_t held_ = 0;
  std::size_t cached_ = 0;
  // The most that was held since `lends_` was reset to 0, and in the period before. A step's peak recurs.
  std::size_t peak_ = 0, peakBefore_ = 0;
  int lends_ = 0;
};

}  // namespace packed_rnn::cuda
